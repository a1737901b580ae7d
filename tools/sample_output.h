// What vq-sample writes: the finished grids and, with --trace, the grids of a run while they fill.
//
// Records of the trace come step by step, within a step in the order of the batch, and have the key
// of the finished record and "step", from 1. Steps are those that --every divides, and the last
// one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "formats/token_grid.h"
#include "lib/sampling/jobs.h"
#include "tools/cli/run.h"

namespace vq {

// Variables of the options.
struct OutputArgs {
  std::string output = "-", trace;
  int64_t every = 1;
  int level = 1;
  bool text = false, no_history = false, force = false;
};

std::vector<cli::Option> output_rows(OutputArgs& args);
// Usage errors that need no file.
void check_output(const cli::Parsed& parsed, const OutputArgs& args);

// With one more entry of history. `init`: the header of the grids a run starts from, or null.
GridHeader sample_header(const cli::Context& context, const DiffusionModel& model,
                         const JobOptions& options, const GridHeader* init);

class SampleOutput {
 public:
  SampleOutput(const OutputArgs& args, const GridHeader& header);

  bool traces() const { return trace_.has_value(); }
  void trace(int step, const Job& job, const std::vector<int32_t>& tokens);
  // The end of a batch, in the trace as well.
  void write(const std::vector<Job>& finished);
  void close();

 private:
  std::optional<TokenWriter> writer_, trace_;
  bool hand_on_ = false, hand_on_trace_ = false;  // somebody waits: flush what is done
  int64_t every_;
  int last_step_ = 0;  // of the batch
};

}  // namespace vq
