// Records of vq-sample on their way: queued until a batch is full, then sampled, written and handed
// on.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "formats/prompts.h"
#include "lib/runtime/device.h"
#include "lib/sampling/jobs.h"
#include "tools/cli/shard.h"
#include "tools/cli/terminal.h"
#include "tools/sample_output.h"

namespace vq {

struct BatchOptions {
  int64_t count = 1;  // records of each prompt
  int64_t batch = 16;
  Shard shard;
  Precision precision = Precision::fp32;
};

class SampleBatches {
 public:
  SampleBatches(const DiffusionModel& model, JobOptions options, const BatchOptions& how,
                SampleOutput& output, cli::Progress& progress);

  // `where`: of the prompt, for messages. `start`: the tokens to start from, or none.
  void add(const Prompt& prompt, const std::string& where, const std::vector<int32_t>& start = {});
  // Also at the end.
  void sample_waiting();
  // Seconds until the records that wait have waited so long; `most` when none does.
  double patience(double most) const;

 private:
  void say_unheard(const std::string& text, const std::string& where);

  const DiffusionModel& model_;
  JobOptions options_;
  BatchOptions how_;
  SampleOutput& output_;
  cli::Progress& progress_;
  std::vector<Job> waiting_;
  std::chrono::steady_clock::time_point since_;  // the first of them is here
  std::string last_said_;
  uint64_t next_ = 0, done_ = 0;
};

}  // namespace vq
