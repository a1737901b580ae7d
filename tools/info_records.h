// The records of token grids, passed on by vq-info: as text, into a file, or as a picture.
//
// Laws: either spelling is turned into either without loss (header, history and records are the
// same); nothing is changed but what --records leaves out and damage has taken, and then the
// history says so.
#pragma once

#include <string>
#include <vector>

#include "tools/cli/options.h"
#include "tools/cli/run.h"

namespace vq {

struct RecordsWanted {
  bool text = false, salvage = false, force = false;
  std::string output, range, heat;
};

std::vector<cli::Option> record_rows(RecordsWanted& wanted);
// Is a report not what is wanted? Throws vq::Error (usage) for options that do not go together.
bool records_are_asked(const RecordsWanted& wanted);

// Does it; the exit status. Throws vq::Error.
int pass_records(const RecordsWanted& wanted, const cli::Context& context);

}  // namespace vq
