#include "lib/training/features_trainer.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "formats/error.h"
#include "lib/codec/pixels.h"
#include "lib/random.h"

namespace vq {
namespace {

constexpr int64_t kParts = 10;      // one of them is held out,
constexpr int64_t kFewest = 40;     // where there are so many
constexpr int64_t kShiftPart = 16;  // pictures move by up to a sixteenth of their side

OptimiserOptions optimiser_options(const FeaturesTrainingOptions& o) {
  OptimiserOptions options;
  options.learning_rate = o.learning_rate;
  options.beta1 = 0.9;
  options.beta2 = 0.99;
  options.weight_decay = o.weight_decay;
  options.clip_norm = o.clip_norm;
  return options;
}

// Moves the network before anything is built on its tensors.
Parameters& moved(SmallClassifier& network, at::Device device) {
  network.parameters.to(device, at::kFloat);
  return network.parameters;
}

double share_right(const at::Tensor& logits, const at::Tensor& labels) {
  return (logits.argmax(1) == labels).to(at::kDouble).mean().item<double>();
}

}  // namespace

Json FeaturesTrainingOptions::to_json() const {
  return {{"batch", batch},
          {"steps", steps},
          {"max_seconds", max_seconds},
          {"seed", seed},
          {"learning_rate", learning_rate},
          {"weight_decay", weight_decay},
          {"clip_norm", clip_norm},
          {"warmup", warmup},
          {"average_decay", average_decay},
          {"flip", flip},
          {"dtype", precision == Precision::bf16 ? "bf16" : "fp32"}};
}

FeaturesTrainer::FeaturesTrainer(const SmallClassifierConfig& config,
                                 const FeaturesTrainingOptions& options, TrainingPictures& pictures,
                                 std::vector<int64_t> labels, at::Device device)
    : options_(options),
      pictures_(pictures),
      labels_(std::move(labels)),
      device_(device),
      network_(config, options.seed),
      optimiser_(moved(network_, device), optimiser_options(options)),
      average_(network_.parameters, options.average_decay) {
  if (options.steps <= 0 && options.max_seconds <= 0) {
    throw Error::usage("", "a training run needs an end", "give --steps or --max-seconds");
  }
  const auto classes = static_cast<int64_t>(config.classes.size());
  for (const int64_t label : labels_) {
    if (label < 0 || label >= classes) {
      throw Error("",
                  fmt::format("a picture has label {}, and there are {} classes", label, classes));
    }
  }
  const int64_t count = pictures.count();
  if (count < 2) throw Error("", "there are too few pictures to train on");
  for (int64_t i = 0; i < count; ++i) {
    (count >= kFewest && i % kParts == kParts - 1 ? held_out_ : trained_).push_back(i);
  }
}

double FeaturesTrainer::progress() const {
  double done = 0;
  if (options_.steps > 0) done = static_cast<double>(step_) / static_cast<double>(options_.steps);
  if (options_.max_seconds > 0) done = std::max(done, seconds_ / options_.max_seconds);
  return std::min(done, 1.0);
}

// Every picture once an epoch, in an order of its own; batches run on across the seam.
std::vector<int64_t> FeaturesTrainer::picks(int64_t step) const {
  const auto n = static_cast<int64_t>(trained_.size());
  std::vector<int64_t> which, order;
  int64_t epoch = -1;
  for (int64_t i = step * options_.batch; i < (step + 1) * options_.batch; ++i) {
    if (epoch != i / n) {
      epoch = i / n;
      order = permutation(options_.seed, static_cast<uint32_t>(epoch), n);
    }
    which.push_back(trained_[static_cast<size_t>(order[static_cast<size_t>(i % n)])]);
  }
  return which;
}

at::Tensor FeaturesTrainer::images_of(const std::vector<int64_t>& which) {
  return to_images(pictures_.batch(which).to(device_));
}

at::Tensor FeaturesTrainer::labels_of(const std::vector<int64_t>& which) const {
  std::vector<int64_t> labels;
  for (const int64_t i : which) labels.push_back(labels_[static_cast<size_t>(pictures_.source(i))]);
  return at::tensor(labels, at::kLong).to(device_);
}

// Mirrored by chance and moved by a few pixels, what comes in being the border's.
at::Tensor FeaturesTrainer::disturbed(const at::Tensor& images,
                                      const std::vector<int64_t>& which) const {
  const int64_t side = images.size(2), reach = side / kShiftPart;
  const at::Tensor wide = at::replication_pad2d(images.contiguous(), {reach, reach, reach, reach});
  std::vector<at::Tensor> rows;
  for (size_t i = 0; i < which.size(); ++i) {
    const Counter at{static_cast<uint64_t>(which[i]), static_cast<uint32_t>(step_), 0};
    const Pair moves = uniform_pair(options_.seed, Purpose::augment, at);
    const auto span = static_cast<double>(2 * reach + 1);
    at::Tensor row = wide[static_cast<int64_t>(i)]
                         .narrow(1, static_cast<int64_t>(moves.first * span), side)
                         .narrow(2, static_cast<int64_t>(moves.second * span), side);
    const Counter mirror{at.record, at.step, 1};
    if (options_.flip && uniform(options_.seed, Purpose::augment, mirror) < 0.5)
      row = row.flip({2});
    rows.push_back(row);
  }
  return at::stack(rows).contiguous(at::MemoryFormat::ChannelsLast);
}

FeaturesStep FeaturesTrainer::step() {
  const auto begin = std::chrono::steady_clock::now();
  const double scale = rate_factor("cosine", options_.warmup, step_, progress());
  const std::vector<int64_t> which = picks(step_);
  const at::Tensor images = disturbed(images_of(which), which), labels = labels_of(which);
  if (!pictures_.in_memory()) pictures_.prefetch(picks(step_ + 1));
  at::Tensor logits;
  {
    const AutocastScope autocast(device_, options_.precision);
    logits = network_.logits(network_.features(images));
  }
  logits = logits.to(at::kFloat);
  const at::Tensor loss = at::cross_entropy_loss(logits, labels);
  loss.backward();
  optimiser_.step(scale);
  average_.update();

  FeaturesStep told;
  told.loss = loss.item<double>();
  told.accuracy = share_right(logits.detach(), labels);
  told.learning_rate = options_.learning_rate * scale;
  told.step = ++step_;
  told.seconds = seconds_ +=
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  told.done = progress();
  return told;
}

bool FeaturesTrainer::run(const std::function<bool(const FeaturesStep&)>& told) {
  while (progress() < 1) {
    if (!told(step())) return false;
  }
  return true;
}

void FeaturesTrainer::save_state(const std::string& path) const {
  Checkpoint checkpoint;
  checkpoint.kind = "features";
  checkpoint.config = network_.config.to_json();
  checkpoint.options = options_.to_json();
  checkpoint.step = step_;
  checkpoint.seconds = seconds_;
  save_checkpoint(path, checkpoint, network_.parameters, optimiser_, average_);
}

void FeaturesTrainer::load_state(const std::string& path) {
  const CheckpointFile file = open_checkpoint(path);
  if (file.checkpoint.kind != "features") {
    throw Error(path, "is the state of a " + file.checkpoint.kind + " run, not of features");
  }
  check_same_options(file.checkpoint.config, network_.config.to_json(), {}, path);
  check_same_options(file.checkpoint.options, options_.to_json(), {"steps", "max_seconds"}, path);
  load_checkpoint(file, network_.parameters, optimiser_, average_);
  step_ = file.checkpoint.step;
  seconds_ = file.checkpoint.seconds;
}

double FeaturesTrainer::held_out_accuracy() {
  const at::NoGradGuard no_grad;
  if (held_out_.empty()) return std::nan("");
  average_.swap();
  double right = 0;
  for (size_t i = 0; i < held_out_.size(); i += static_cast<size_t>(options_.batch)) {
    const size_t end = std::min(held_out_.size(), i + static_cast<size_t>(options_.batch));
    const std::vector<int64_t> which(held_out_.begin() + i, held_out_.begin() + end);
    const at::Tensor logits = network_.logits(network_.features(images_of(which)));
    right += share_right(logits, labels_of(which)) * static_cast<double>(which.size());
  }
  average_.swap();
  return right / static_cast<double>(held_out_.size());
}

void FeaturesTrainer::save(const std::string& path, const Json& history, bool force) {
  average_.swap();
  save_model(path, "features", network_.config.to_json(), history,
             named_tensors(network_.parameters), force);
  average_.swap();
}

}  // namespace vq
