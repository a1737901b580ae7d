#include "tools/training_run.h"

#include <fmt/format.h>

#include <filesystem>

#include "formats/error.h"

namespace vq {
std::vector<cli::Option> training_rows(TrainingFiles& files) {
  return {
      {.letter = 'o', .name = "output", .value = "FILE", .help = "the model to write",
       .target = &files.output, .required = true},
      {.name = "steps", .value = "N", .help = "steps to train, 0: as long as --max-seconds says",
       .target = &files.steps, .min = 0, .max = 1e12},
      {.name = "max-seconds", .value = "S", .help = "training time, 0: as long as --steps says",
       .target = &files.max_seconds, .min = 0,
       .more = "Whichever of the two ends first; the learning rate falls to its end by then."},
      {.letter = 'b', .name = "batch", .value = "N", .help = "images a step",
       .target = &files.batch, .min = 1, .max = 1 << 20},
      {.letter = 's', .name = "seed", .value = "N", .help = "seed of weights, order and noise",
       .target = &files.seed, .min = 0},
      {.name = "log", .value = "FILE", .help = "append one JSON line now and then",
       .target = &files.log},
      {.name = "log-every", .value = "N", .help = "steps between lines of the log",
       .target = &files.log_every, .min = 1, .max = 1e9},
      {.name = "save-every", .value = "N",
       .help = "steps between saves of FILE.state, 0: only when stopped",
       .target = &files.save_every, .min = 0, .max = 1e9},
      {.name = "resume", .help = "go on from FILE.state", .target = &files.resume,
       .more = "With the same options, steps give the same bits as without the break (CPU, fp32)."},
      {.letter = 'd', .name = "device", .value = "DEVICE", .help = "cpu, cuda, cuda:1, ...",
       .target = &files.device},
      {.name = "dtype", .value = "TYPE", .help = "precision of products", .target = &files.dtype,
       .choices = {"auto", "fp32", "bf16"},
       .more = "auto is bf16 where the device has it in hardware."},
      {.letter = 'j', .name = "threads", .value = "N", .help = "threads, 0: all cores",
       .target = &files.threads, .min = 0, .max = 1024},
      {.letter = 'f', .name = "force", .help = "replace an existing model",
       .target = &files.force}};
}

TrainingRun::TrainingRun(const cli::Context& context, const TrainingFiles& files)
    : files_(files), progress_(context.common, "% of the run", 100) {
  if (!files.log.empty()) log_ = MetricsWriter::append(files.log);
}

void TrainingRun::check_files() const {
  if (files_.output == "-") throw Error::usage("--output", "a model is a file, not a stream");
  if (!files_.force && !files_.resume && std::filesystem::exists(files_.output)) {
    throw Error::usage(files_.output, "exists already", "--force replaces it");
  }
  const bool has_state = std::filesystem::exists(state_path());
  if (files_.resume && !has_state)
    throw Error::usage(state_path(), "is not there: nothing to resume");
  if (!files_.resume && has_state && !files_.force) {
    throw Error::usage(state_path(), "an interrupted run left its state",
                       "--resume goes on, --force starts anew");
  }
}

bool TrainingRun::told(int64_t step, double done, const std::string& extra, const Json& line,
                       const std::function<void(const std::string&)>& save_state) {
  progress_.update(static_cast<uint64_t>(std::min(1.0, done) * 100), extra);
  if (log_ && (step % files_.log_every == 0 || done >= 1)) log_->write(line);
  if (files_.save_every > 0 && step % files_.save_every == 0 && done < 1) save_state(state_path());
  return cli::caught_signal() == 0;
}

std::optional<int> TrainingRun::stopped(int64_t step,
                                        const std::function<void(const std::string&)>& save_state) {
  progress_.finish();
  const int signal = cli::caught_signal();
  if (signal == 0) return std::nullopt;
  cli::say(fmt::format("saving step {} to {}", step, state_path()));
  save_state(state_path());
  return cli::exit_by_signal(signal);
}

void TrainingRun::finish() {
  std::error_code ignored;
  std::filesystem::remove(state_path(), ignored);
  if (log_) log_->close();
}

}  // namespace vq
