// Labelled pictures -> a feature network: the loop that trains a small classifier.
//
//   loss = cross-entropy of the labels
//
// One picture in ten (by number) is held out and says how well classes are told apart. Pictures are
// mirrored and shifted by chance. The learning rate rises over the warm-up and falls to zero by the
// end of the budget, which is a number of steps, a number of seconds, or whichever ends first. The
// averaged weights are saved.
//
// Law: with a budget of steps, step n is a function of (pictures, labels, options, seed, n): a run
// that is stopped and resumed gives the same bits (CPU, fp32).        (features_trainer_test.cc)
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <functional>
#include <string>
#include <vector>

#include "lib/codec/pictures.h"
#include "lib/runtime/device.h"
#include "lib/scoring/small_classifier.h"
#include "lib/training/average.h"
#include "lib/training/checkpoint.h"
#include "lib/training/optimiser.h"

namespace vq {

struct FeaturesTrainingOptions {
  int64_t batch = 64;
  int64_t steps = 2000;    // 0: no limit but the seconds
  double max_seconds = 0;  // of training, resumed parts included; 0: no limit but the steps
  uint64_t seed = 0;
  double learning_rate = 2e-3;
  double weight_decay = 1e-2;
  double clip_norm = 1.0;
  int64_t warmup = 50;
  double average_decay = 0.99;
  bool flip = true;
  Precision precision = Precision::fp32;

  Json to_json() const;
};

struct FeaturesStep {
  int64_t step = 0;
  double seconds = 0, done = 0, loss = 0, accuracy = 0, learning_rate = 0;
};

class FeaturesTrainer {
 public:
  // `labels` of the pictures' sources. Throws vq::Error: a label without a class, too few pictures.
  FeaturesTrainer(const SmallClassifierConfig& config, const FeaturesTrainingOptions& options,
                  TrainingPictures& pictures, std::vector<int64_t> labels, at::Device device);

  bool run(const std::function<bool(const FeaturesStep&)>& told);
  FeaturesStep step();

  void save_state(const std::string& path) const;
  void load_state(const std::string& path);

  // Share of held-out pictures whose class the averaged weights tell; NaN where none are held out.
  double held_out_accuracy();
  void save(const std::string& path, const Json& history, bool force);

  int64_t steps_done() const { return step_; }
  int64_t held_out() const { return static_cast<int64_t>(held_out_.size()); }
  const SmallClassifier& network() const { return network_; }

 private:
  double progress() const;
  std::vector<int64_t> picks(int64_t step) const;
  at::Tensor images_of(const std::vector<int64_t>& which);
  at::Tensor labels_of(const std::vector<int64_t>& which) const;
  at::Tensor disturbed(const at::Tensor& images, const std::vector<int64_t>& which) const;

  FeaturesTrainingOptions options_;
  TrainingPictures& pictures_;
  std::vector<int64_t> labels_, trained_, held_out_;  // the latter two are picture numbers
  at::Device device_;
  SmallClassifier network_;
  Optimiser optimiser_;
  Average average_;
  int64_t step_ = 0;
  double seconds_ = 0;
};

}  // namespace vq
