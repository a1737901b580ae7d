// A schedule as a table, for vq-info --schedule: by its name, or as a diffusion model stores it.
//
// Members of the report: "schedule" (its name), "timesteps" T, "codebook_size" K, and six arrays of
// T numbers, the first that of t = 1: "alpha", "beta", "gamma" of the step from t - 1 to t,
// "alpha_bar", "beta_bar", "gamma_bar" from 0 to t. alpha + K beta + gamma = 1, with bars as well.
#pragma once

#include <string>

#include "formats/json.h"
#include "tools/cli/options.h"
#include "tools/cli/run.h"

namespace vq {

struct ScheduleWanted {
  std::string which;                          // a name of Schedule::names(), or a file
  int timesteps = 100, codebook_size = 2887;  // of a name; a file has its own
  bool sizes_given = false;                   // -T or -K
};

// The rows --schedule, -T and -K.
std::vector<cli::Option> schedule_rows(ScheduleWanted& wanted);
// Whether --schedule was given; fills in sizes_given. Throws vq::Error (usage) for options and
// operands that do not go with it, or with its absence.
bool schedule_is_asked(const cli::Context& context, ScheduleWanted& wanted);

// Throws vq::Error: usage for what is neither a name nor a file, and for sizes beside a file.
Json schedule_report(const ScheduleWanted& wanted);

// The report for a person: a heading, then one line a step.
std::string schedule_text(const Json& report);

}  // namespace vq
