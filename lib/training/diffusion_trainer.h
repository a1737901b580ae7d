// Tokens -> a diffusion model: the loop that trains the denoiser and what it listens to.
//
// Each step: a batch of grids, each with its caption or class (dropped to the null now and then)
// and a time t; the forward process hides tokens; the network guesses; the loss of the model's
// objective is made smaller (lib/diffusion/loss.h): "bound", with t one of 1..T, or "masked", with
// t real and the network shown the nearest of 1..T. The learning rate rises over the warm-up and
// falls by `rate_shape` to the end of the budget: steps, seconds, or whichever ends first. Saved
// are the averaged weights.
//
// Law: with a budget of steps, step n is a function of (tokens, options, seed, n): a run that is
// stopped and resumed gives the same bits (CPU, fp32). (diffusion_trainer_test.cc)
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "lib/diffusion/loss.h"
#include "lib/diffusion/model.h"
#include "lib/diffusion/timesteps.h"
#include "lib/runtime/device.h"
#include "lib/training/average.h"
#include "lib/training/checkpoint.h"
#include "lib/training/optimiser.h"
#include "lib/training/token_set.h"

namespace vq {

struct DiffusionTrainingOptions {
  int64_t batch = 32;
  int64_t steps = 10000;   // 0: no limit but the seconds
  double max_seconds = 0;  // of training, resumed parts included; 0: no limit but the steps
  uint64_t seed = 0;
  OptimiserOptions optimiser;
  int64_t warmup = 200;
  std::string rate_shape = "cosine";
  double average_decay = 0.998;
  double condition_drop = 0.1;
  std::string timesteps_drawn = "importance";
  LossOptions loss;  // of the objective "bound"
  Precision precision = Precision::fp32;

  Json to_json() const;
};

struct DiffusionStep {
  int64_t step = 0;  // steps done, this one included
  double seconds = 0, done = 0;
  double loss = 0, x0 = 0, accuracy = 0, learning_rate = 0, gradient = 0;
  double bits =
      0;  // the bound, bits a token, over the last steps; not-a-number before all t were seen
};

class DiffusionTrainer {
 public:
  DiffusionTrainer(DiffusionModel& model, const TokenSet& set,
                   const DiffusionTrainingOptions& options, at::Device device);

  // Steps until the budget is spent (true) or `told` returns false (false). Throws vq::Error when
  // the loss stops being a number for many steps on end.
  bool run(const std::function<bool(const DiffusionStep&)>& told);
  DiffusionStep step();

  void save_state(const std::string& path) const;
  // Refuses a state that another configuration or other options made, naming them.
  void load_state(const std::string& path);
  // Writes the averaged weights as a model.
  void save(const std::string& path, const Json& history, bool force) const;

  int64_t steps_done() const { return step_; }

 private:
  struct Batch {
    at::Tensor x_0, prepared;
    std::vector<uint64_t>
        visits;  // numbers of these visits to the data set, counted from the run's start
  };
  struct Times {
    std::vector<double> t;        // of each record
    std::vector<int> steps;       // the steps they end, or lie in
    std::vector<double> chances;  // of having drawn these steps
    std::vector<int64_t> table_rows;
  };
  Batch batch_of(int64_t step);
  Times times_of(const Batch& batch) const;
  bool masked() const { return model_.config().objective == "masked"; }
  at::Tensor prepared_of(const std::vector<int64_t>& records,
                         const std::vector<uint64_t>& visits) const;
  double progress() const;

  DiffusionModel& model_;
  const TokenSet& set_;
  DiffusionTrainingOptions options_;
  at::Device device_;
  Optimiser optimiser_;
  Average average_;
  TimestepSampler timesteps_;
  std::vector<std::vector<std::vector<int64_t>>>
      prepared_;  // record -> caption (or class) -> numbers
  int64_t step_ = 0, bad_steps_ = 0;
  double seconds_ = 0;
  int64_t epoch_ = -1;  // whose order is kept
  std::vector<int64_t> order_;
};

// The condition for a token set: "caption", "label", "none", or "auto", which takes captions before
// labels before none. Throws when the records have not what is asked for.
ConditionConfig condition_for(const TokenSet& set, const std::string& word,
                              const TextEncoderConfig& text);
// Learned from the captions; none when the condition is not a caption. Sets text.length to what the
// longest needs.
Tokenizer vocabulary_for(const TokenSet& set, ConditionConfig& condition, int most_pieces,
                         int most_length);

}  // namespace vq
