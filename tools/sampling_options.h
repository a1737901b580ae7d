// The options of vq-sample that say how a model is sampled, and what they make together with what
// the model suggests.
#pragma once

#include <string>
#include <vector>

#include "formats/json.h"
#include "lib/sampling/jobs.h"
#include "tools/cli/options.h"

namespace vq {

// Variables of the options; zeros stand for what the model suggests.
struct SamplingArgs {
  int64_t seed = 0, tokens_per_step = 0;
  int steps = 0, top_k = 0, reuse = 1;
  double guidance = 0, temperature = 1, top_p = 0;
  std::string guidance_schedule = "constant", guidance_interval = "0,1", guide = "x0";
  std::string null = "learned", negative;
  std::string order = "ancestral", purity_norm = "none", remask_rule = "cap";
  std::string stride_posterior = "exact", spacing = "even";
  double purity_weight = 1, confidence_noise = 4.5, remask_strength = 0.02;
};

std::vector<cli::Option> sampling_rows(SamplingArgs& args);

// Throws vq::Error (usage) for what does not go together, and for options that the chosen order
// does not listen to. Needs no model.
void check_sampling(const cli::Parsed& parsed, const SamplingArgs& args);

// Throws vq::Error (usage) for what does not go with this model, and for options of the guidance
// where it is off. Everything but where the run starts.
JobOptions sampling_options(const cli::Parsed& parsed, const SamplingArgs& args,
                            const DiffusionModel& model);

// Members of a history entry: every number a run was sampled with.
Json sampling_history(const SamplerOptions& options);

}  // namespace vq
