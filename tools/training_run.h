// What both halves of vq-train share: log lines, the progress line, saving now and then, and
// stopping when told.
//
// Files beside the model OUT: OUT.state, everything needed to go on (removed when the run is done).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "formats/json.h"
#include "formats/metrics.h"
#include "tools/cli/options.h"
#include "tools/cli/run.h"
#include "tools/cli/terminal.h"

namespace vq {

// Variables of the options that both halves have.
struct TrainingFiles {
  std::string output, log, device = "cpu", dtype = "auto";
  int64_t log_every = 100, save_every = 0, seed = 0, batch = 32, steps = 0;
  double max_seconds = 0;
  int threads = 0;
  bool resume = false, force = false;
};

// Their rows: -o --log --log-every --save-every --resume --steps --max-seconds -b -s -d --dtype -j
// -f.
std::vector<cli::Option> training_rows(TrainingFiles& files);

class TrainingRun {
 public:
  TrainingRun(const cli::Context& context, const TrainingFiles& files);

  std::string state_path() const { return files_.output + ".state"; }
  // Refuses what would be lost: an existing output without --force; --resume without a state.
  void check_files() const;

  // After each step: logs `line` when due, draws the progress, saves the state when due. False:
  // stop now.
  bool told(int64_t step, double done, const std::string& extra, const Json& line,
            const std::function<void(const std::string&)>& save_state);

  // After the loop: the exit status when it was stopped (the state was saved), nothing when it is
  // done.
  std::optional<int> stopped(int64_t step,
                             const std::function<void(const std::string&)>& save_state);
  // The model is written: the state is of no more use.
  void finish();

 private:
  const TrainingFiles& files_;
  cli::Progress progress_;
  std::optional<MetricsWriter> log_;
};

}  // namespace vq
