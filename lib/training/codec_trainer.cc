#include "lib/training/codec_trainer.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numbers>

#include "formats/error.h"
#include "lib/random.h"

namespace vq {
namespace {

// Rounds of the picture order that no epoch reaches.
constexpr uint32_t kStartRound = 0xFFFFFFF0, kSaveRound = 0xFFFFFFF1;
// Latent vectors a code for k-means, pictures to count uses on and to measure on at the end.
constexpr int64_t kVectorsPerCode = 32, kPicturesForComponents = 1024, kCountedPictures = 16384;
constexpr size_t kMeasuredPictures = 2048;
// Restarts stop here, so that the codebook settles while the learning rate falls.
constexpr double kRestartUntil = 0.8;

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

OptimiserOptions optimiser_options(const CodecTrainingOptions& o) {
  OptimiserOptions options;
  options.learning_rate = o.learning_rate;
  options.beta1 = 0.9;
  options.beta2 = 0.99;
  options.weight_decay = o.weight_decay;
  options.clip_norm = o.clip_norm;
  return options;
}

void check(const CodecTrainingOptions& o, const TrainingPictures& pictures) {
  if (o.steps <= 0 && o.max_seconds <= 0) {
    throw Error::usage("", "a training run needs an end", "give --steps or --max-seconds");
  }
  if (pictures.count() == 0) throw Error("", "there are no pictures to train on");
}

// `wanted` picture numbers of n, at random, without repeats.
std::vector<int64_t> random_pictures(uint64_t seed, uint32_t round, int64_t n, int64_t wanted) {
  auto order = permutation(seed, round, n);
  order.resize(static_cast<size_t>(std::min(n, wanted)));
  return order;
}

// Calls visit(numbers) for groups of at most `batch` picture numbers.
template <typename Visit>
void in_batches(const std::vector<int64_t>& which, int64_t batch, Visit visit) {
  for (size_t i = 0; i < which.size(); i += static_cast<size_t>(batch)) {
    const size_t end = std::min(which.size(), i + static_cast<size_t>(batch));
    visit(std::vector<int64_t>(which.begin() + i, which.begin() + end));
  }
}

}  // namespace

Json CodecTrainingOptions::to_json() const {
  return {{"batch", batch},
          {"steps", steps},
          {"max_seconds", max_seconds},
          {"seed", seed},
          {"learning_rate", learning_rate},
          {"weight_decay", weight_decay},
          {"clip_norm", clip_norm},
          {"warmup", warmup},
          {"l1", l1},
          {"l2", l2},
          {"commitment", commitment},
          {"average_decay", average_decay},
          {"flip", flip},
          {"dtype", precision == Precision::bf16 ? "bf16" : "fp32"},
          {"codebook_decay", codebook.decay},
          {"restart_after", codebook.restart_after}};
}

// Moves the network before anything is built on its tensors.
static CodecNetwork& placed(CodecNetwork& network, at::Device device) {
  network.parameters.to(device, at::kFloat);
  return network;
}

CodecTrainer::CodecTrainer(const CodecConfig& config, const CodecTrainingOptions& options,
                           TrainingPictures& pictures, at::Device device)
    : options_(options),
      pictures_(pictures),
      device_(device),
      network_(config, options.seed),
      codebook_(placed(network_, device).codes, options.codebook),
      optimiser_(network_.parameters, optimiser_options(options)),
      average_(network_.parameters, options.average_decay) {
  check(options, pictures);
}

double CodecTrainer::progress() const {
  double done = 0;
  if (options_.steps > 0) done = static_cast<double>(step_) / static_cast<double>(options_.steps);
  if (options_.max_seconds > 0) done = std::max(done, seconds_ / options_.max_seconds);
  return std::min(done, 1.0);
}

double CodecTrainer::rate() const {
  const double up =
      std::min(1.0, static_cast<double>(step_ + 1) / static_cast<double>(options_.warmup + 1));
  return up * 0.5 * (1 + std::cos(std::numbers::pi * progress()));
}

// Every picture once an epoch, in an order of its own; batches run on across the seam.
std::vector<int64_t> CodecTrainer::picks(int64_t step) {
  const int64_t n = pictures_.count();
  std::vector<int64_t> which;
  for (int64_t i = step * options_.batch; i < (step + 1) * options_.batch; ++i) {
    if (epoch_ != i / n) {
      epoch_ = i / n;
      order_ = permutation(options_.seed, static_cast<uint32_t>(epoch_), n);
    }
    which.push_back(order_[static_cast<size_t>(i % n)]);
  }
  return which;
}

at::Tensor CodecTrainer::images_of(int64_t step) {
  const auto which = picks(step);
  auto images = to_images(pictures_.batch(which).to(device_));
  if (!pictures_.in_memory()) pictures_.prefetch(picks(step + 1));
  if (!options_.flip) return images;
  std::vector<uint8_t> mirror;
  for (int64_t picture : which) {
    const Counter at{static_cast<uint64_t>(picture), static_cast<uint32_t>(step), 0};
    mirror.push_back(uniform(options_.seed, Purpose::augment, at) < 0.5);
  }
  auto chosen = at::tensor(mirror, at::kByte).to(device_, at::kBool).view({-1, 1, 1, 1});
  return at::where(chosen, images.flip({3}), images);
}

void CodecTrainer::start_codebook() {
  const at::NoGradGuard no_grad;
  const int64_t cells = network_.config.image_size / network_.config.factor();
  const int64_t wanted = kVectorsPerCode * network_.config.codes / (cells * cells) + 1;
  std::vector<at::Tensor> rows;
  const auto which =
      random_pictures(options_.seed, kStartRound, pictures_.count(), std::max<int64_t>(wanted, 64));
  in_batches(which, options_.batch, [&](const std::vector<int64_t>& part) {
    const AutocastScope autocast(device_, options_.precision);
    auto z = network_.latent(to_images(pictures_.batch(part).to(device_)));
    rows.push_back(cells_to_rows(z.to(at::kFloat)));
  });
  codebook_.start(at::cat(rows), options_.seed);
}

// What has to be known of the pictures before a step: nothing, their components, or latent vectors.
void CodecTrainer::start() {
  const bool linear = network_.config.linear;
  if (step_ == 0 && linear) {
    const auto which =
        random_pictures(options_.seed, kStartRound, pictures_.count(), kPicturesForComponents);
    network_.start_linear(to_images(pictures_.batch(which).to(device_)));
  }
  if (!codebook_.started() && (linear || step_ >= options_.warmup)) start_codebook();
}

CodecStep CodecTrainer::step() {
  const auto begin = Clock::now();
  start();
  const double scale = rate();
  auto images = images_of(step_);
  at::Tensor rows, out, distance = at::zeros({}, images.options());
  Quantised quantised;
  {
    const AutocastScope autocast(device_, options_.precision);
    auto z = network_.latent(images).to(at::kFloat);
    rows = cells_to_rows(z);
    if (codebook_.started()) {
      quantised = quantise(rows, network_.codes);
      distance = quantised.distance;
    }
    auto vectors = codebook_.started() ? quantised.vectors : rows;
    out = network_.picture(rows_to_cells(vectors, z.size(0), z.size(2), z.size(3))).to(at::kFloat);
  }
  auto difference = out - images;
  auto absolute = difference.abs().mean();
  auto loss = options_.l1 * absolute + options_.l2 * difference.pow(2).mean() +
              options_.commitment * distance;
  loss.backward();
  optimiser_.step(scale);
  average_.update();

  CodecStep told;
  if (codebook_.started()) {
    told.restarted = codebook_.update(rows.detach(), quantised.index, progress() < kRestartUntil,
                                      options_.seed, step_);
    told.codes_used = codebook_.codes_used();
    told.perplexity = codebook_.perplexity();
  }
  told.loss = loss.item<double>();
  told.recon = absolute.item<double>() / 2;
  told.psnr = psnr(images, out.detach()).mean().item<double>();
  told.learning_rate = options_.learning_rate * scale;
  told.step = ++step_;
  told.seconds = seconds_ += seconds_since(begin);
  told.done = progress();
  return told;
}

bool CodecTrainer::run(const std::function<bool(const CodecStep&)>& told) {
  while (progress() < 1) {
    if (!told(step())) return false;
  }
  return true;
}

void CodecTrainer::save_state(const std::string& path) const {
  Checkpoint checkpoint;
  checkpoint.kind = "codec";
  checkpoint.config = network_.config.to_json();
  checkpoint.options = options_.to_json();
  checkpoint.step = step_;
  checkpoint.seconds = seconds_;
  save_checkpoint(path, checkpoint, network_.parameters, optimiser_, average_, codebook_.state());
}

void CodecTrainer::load_state(const std::string& path) {
  const CheckpointFile file = open_checkpoint(path);
  if (file.checkpoint.kind != "codec") {
    throw Error(path, "is the state of a " + file.checkpoint.kind + " run, not of a codec's");
  }
  check_same_options(file.checkpoint.config, network_.config.to_json(), {}, path);
  check_same_options(file.checkpoint.options, options_.to_json(), {"steps", "max_seconds"}, path);
  load_checkpoint(file, network_.parameters, optimiser_, average_);
  codebook_.load_state(file.file.tensors);
  step_ = file.checkpoint.step;
  seconds_ = file.checkpoint.seconds;
}

at::Tensor CodecTrainer::count_uses(const std::vector<int64_t>& which) {
  const at::NoGradGuard no_grad;
  auto uses = at::zeros({network_.config.codes}, at::kLong);
  in_batches(which, options_.batch, [&](const std::vector<int64_t>& part) {
    auto z = network_.latent(to_images(pictures_.batch(part).to(device_)));
    auto index = nearest_code(cells_to_rows(z), network_.codes);
    uses += count_codes(index, network_.config.codes).to(at::kCPU);
  });
  return uses;
}

// Runs what will be written, not what was trained.
void CodecTrainer::measure(CodecSummary& summary, const std::vector<int64_t>& which) {
  const at::NoGradGuard no_grad;
  auto network = std::make_unique<CodecNetwork>(finished_->config, 0);
  for (const NamedTensor& t : finished_->tensors) network->parameters.get(t.name).copy_(t.tensor);
  Codec codec(std::move(network));
  codec.to(device_);
  const int64_t side = codec.grid_side(finished_->config.image_size);
  in_batches(which, options_.batch, [&](const std::vector<int64_t>& part) {
    auto images = to_images(pictures_.batch(part));
    auto again = codec.decode(codec.encode(images), side, side);
    summary.psnr += psnr(images, again).sum().item<double>();
    summary.recon += (images - again).abs().mean({1, 2, 3}).sum().item<double>() / 2;
  });
  summary.psnr /= static_cast<double>(which.size());
  summary.recon /= static_cast<double>(which.size());
}

CodecSummary CodecTrainer::finish() {
  if (!codebook_.started()) start_codebook();
  auto which = random_pictures(options_.seed, kSaveRound, pictures_.count(), kCountedPictures);
  average_.swap();
  auto uses = count_uses(which);
  finished_ = keep_codes(network_, codes_by_use(uses));
  for (NamedTensor& t : finished_->tensors) t.tensor = t.tensor.detach().to(at::kCPU).clone();
  average_.swap();
  CodecSummary summary;
  summary.codes = finished_->config.codes;
  summary.perplexity = code_perplexity(uses);
  which.resize(std::min(which.size(), kMeasuredPictures));
  measure(summary, which);
  return summary;
}

void CodecTrainer::save(const std::string& path, const Json& history, bool force) const {
  if (!finished_) throw Error(path, "a codec is saved after it is finished");
  save_model(path, "codec", finished_->config.to_json(), history, finished_->tensors, force);
}

}  // namespace vq
