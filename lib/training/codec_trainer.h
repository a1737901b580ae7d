// Pictures -> a codec: the loop that trains encoder, decoder and codebook together.
//
//   loss = l1 |x - x'| + l2 (x - x')^2 + commitment (z - code(z))^2,   x, x' in [-1, 1]
//
// A codec with linear paths starts as the principal components of its cells and is quantised from
// the first step; any other trains `warmup` steps without quantisation, so that k-means finds codes
// for latent vectors that mean something. From then on codes follow their vectors
// (codec/codebook.h) and idle ones are restarted until the last fifth of the run. The learning rate
// rises over the warm-up and falls to zero by the end of the budget, which is a number of steps, a
// number of seconds, or whichever ends first. At the end the averaged weights are saved with the
// codes that are used, most used first.
//
// Law: with a budget of steps, step n is a function of (pictures, options, seed, n): a run that is
// stopped and resumed gives the same bits (CPU, fp32). (codec_trainer_test.cc)
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "lib/codec/codebook.h"
#include "lib/codec/codec.h"
#include "lib/codec/pictures.h"
#include "lib/runtime/device.h"
#include "lib/training/average.h"
#include "lib/training/checkpoint.h"
#include "lib/training/optimiser.h"

namespace vq {

struct CodecTrainingOptions {
  int64_t batch = 64;
  int64_t steps = 5000;    // 0: no limit but the seconds
  double max_seconds = 0;  // of training, resumed parts included; 0: no limit but the steps
  uint64_t seed = 0;
  double learning_rate = 2e-3;
  double weight_decay = 1e-4;
  double clip_norm = 1.0;
  int64_t warmup = 100;
  double l1 = 1, l2 = 1, commitment = 0.25;
  double average_decay = 0.995;
  bool flip = false;  // mirror every other picture, by chance
  Precision precision = Precision::fp32;
  CodebookOptions codebook;

  Json to_json() const;
};

struct CodecStep {
  int64_t step = 0;                      // steps done, this one included
  double seconds = 0;                    // of training so far
  double done = 0;                       // share of the budget, 0..1
  double loss = 0, recon = 0, psnr = 0;  // recon: mean absolute error, pixels in [0, 1]
  double learning_rate = 0;
  int64_t codes_used = 0, restarted = 0;
  double perplexity = 0;
};

// What was saved, measured on training pictures.
struct CodecSummary {
  int64_t codes = 0;  // after dropping unused ones
  double recon = 0, psnr = 0, perplexity = 0;
};

class CodecTrainer {
 public:
  CodecTrainer(const CodecConfig& config, const CodecTrainingOptions& options,
               TrainingPictures& pictures, at::Device device);

  // Steps until the budget is spent (true) or `told` returns false (false).
  bool run(const std::function<bool(const CodecStep&)>& told);
  CodecStep step();

  void save_state(const std::string& path) const;
  // Refuses a state that another configuration or other options made, naming them.
  void load_state(const std::string& path);

  // Takes the averaged weights, counts how often each code is used, drops and renumbers, measures
  // what is left.
  CodecSummary finish();
  // Writes what the last finish() left.
  void save(const std::string& path, const Json& history, bool force) const;

  int64_t steps_done() const { return step_; }
  const CodecNetwork& network() const { return network_; }

 private:
  double progress() const;
  double rate() const;
  std::vector<int64_t> picks(int64_t step);
  at::Tensor images_of(int64_t step);
  void start();
  void start_codebook();
  at::Tensor count_uses(const std::vector<int64_t>& which);
  void measure(CodecSummary& summary, const std::vector<int64_t>& which);

  CodecTrainingOptions options_;
  TrainingPictures& pictures_;
  at::Device device_;
  CodecNetwork network_;
  CodebookLearner codebook_;
  Optimiser optimiser_;
  Average average_;
  int64_t step_ = 0;
  double seconds_ = 0;
  std::optional<PrunedCodec> finished_;
  int64_t epoch_ = -1;  // whose order is kept
  std::vector<int64_t> order_;
};

}  // namespace vq
