#include "lib/training/diffusion_trainer.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numbers>

#include "formats/error.h"
#include "lib/diffusion/corrupt.h"
#include "lib/random.h"

namespace vq {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int64_t kBadStepsAllowed = 20;  // on end; a single one is skipped by the optimiser

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// One uniform a visit, for one purpose.
std::vector<double> uniforms(uint64_t seed, Purpose purpose, const std::vector<uint64_t>& visits) {
  std::vector<double> list;
  for (const uint64_t visit : visits) list.push_back(uniform(seed, purpose, {visit, 0, 0}));
  return list;
}

std::vector<double> doubles(const at::Tensor& numbers) {
  const at::Tensor list = numbers.to(at::kCPU, at::kDouble).contiguous();
  return {list.data_ptr<double>(), list.data_ptr<double>() + list.numel()};
}

}  // namespace

Json DiffusionTrainingOptions::to_json() const {
  const auto& o = optimiser;
  return {{"batch", batch},
          {"steps", steps},
          {"max_seconds", max_seconds},
          {"seed", seed},
          {"optimiser", o.method},
          {"learning_rate", o.learning_rate},
          {"muon_rate", o.muon_rate},
          {"betas", {o.beta1, o.beta2}},
          {"weight_decay", o.weight_decay},
          {"clip_norm", o.clip_norm},
          {"warmup", warmup},
          {"rate_shape", rate_shape},
          {"average_decay", average_decay},
          {"condition_drop", condition_drop},
          {"timesteps_drawn", timesteps_drawn},
          {"auxiliary_weight", loss.auxiliary_weight},
          {"adaptive", loss.adaptive},
          {"mask_weight", loss.mask_weight},
          {"token_weight", loss.token_weight},
          {"precision", precision == Precision::bf16 ? "bf16" : "fp32"}};
}

DiffusionTrainer::DiffusionTrainer(DiffusionModel& model, const TokenSet& set,
                                   const DiffusionTrainingOptions& options, at::Device device)
    : model_(model),
      set_(set),
      options_(options),
      device_(device),
      optimiser_((model.parameters().to(device, at::kFloat), model.parameters()),
                 options.optimiser),
      average_(model.parameters(), options.average_decay),
      timesteps_(options.timesteps_drawn, model.schedule().timesteps()) {
  if (options.steps <= 0 && options.max_seconds <= 0) {
    throw Error::usage("--steps", "a run without an end: give --steps or --max-seconds");
  }
  const Condition& condition = model.condition();
  const ConditionKind kind = condition.config().kind;
  for (int64_t i = 0; i < set.size() && kind != ConditionKind::none; ++i) {
    const auto at = static_cast<size_t>(i);
    std::vector<std::vector<int64_t>> of_record;
    if (kind == ConditionKind::label)
      of_record.push_back(condition.prepare_label(set.labels.at(at)));
    if (kind == ConditionKind::caption) {
      for (const std::string& caption : set.captions.at(at))
        of_record.push_back(condition.prepare_caption(caption));
    }
    prepared_.push_back(std::move(of_record));
  }
}

double DiffusionTrainer::progress() const {
  double done = 0;
  if (options_.steps > 0) done = static_cast<double>(step_) / static_cast<double>(options_.steps);
  if (options_.max_seconds > 0) done = std::max(done, seconds_ / options_.max_seconds);
  return done;
}

at::Tensor DiffusionTrainer::prepared_of(const std::vector<int64_t>& records,
                                         const std::vector<uint64_t>& visits) const {
  if (prepared_.empty()) return {};
  const int64_t size = model_.condition().prepared_size();
  at::Tensor rows = at::empty({static_cast<int64_t>(records.size()), size}, at::kLong);
  int64_t* to = rows.data_ptr<int64_t>();
  for (size_t i = 0; i < records.size(); ++i, to += size) {
    const Pair draw = uniform_pair(options_.seed, Purpose::drop, {visits[i], 0, 0});
    const auto& choices = prepared_[static_cast<size_t>(records[i])];
    const auto which = static_cast<size_t>(draw.second * static_cast<double>(choices.size()));
    const bool dropped = draw.first < options_.condition_drop;
    const std::vector<int64_t> row = dropped ? model_.condition().prepare_null() : choices[which];
    std::copy(row.begin(), row.end(), to);
  }
  return rows;
}

DiffusionTrainer::Batch DiffusionTrainer::batch_of(int64_t step) {
  Batch batch;
  std::vector<int64_t> records;
  for (int64_t i = 0; i < options_.batch; ++i) {
    const int64_t visit = step * options_.batch + i;
    const int64_t epoch = visit / set_.size();
    if (epoch != epoch_) {
      order_ = permutation(options_.seed, static_cast<uint32_t>(epoch), set_.size());
      epoch_ = epoch;
    }
    records.push_back(order_[static_cast<size_t>(visit % set_.size())]);
    batch.visits.push_back(static_cast<uint64_t>(visit));
  }
  batch.x_0 = set_.batch(records);
  batch.prepared = prepared_of(records, batch.visits);
  return batch;
}

DiffusionTrainer::Times DiffusionTrainer::times_of(const Batch& batch) const {
  const std::vector<double> draws = uniforms(options_.seed, Purpose::timestep, batch.visits);
  Times times;
  times.steps = timesteps_.draw(draws);
  times.t = masked() ? timesteps_.draw_real(draws)
                     : std::vector<double>(times.steps.begin(), times.steps.end());
  for (const int step : times.steps) times.chances.push_back(timesteps_.probability(step));
  for (const double t : times.t) times.table_rows.push_back(model_.schedule().table_row(t));
  return times;
}

DiffusionStep DiffusionTrainer::step() {
  const auto start = Clock::now();
  const Schedule& schedule = model_.schedule();
  const Batch batch = batch_of(step_);
  const Times times = times_of(batch);
  const UniformGrid noise =
      uniform_grid(options_.seed, Purpose::corrupt, batch.visits, 0, set_.header.length());
  const at::Tensor x_0 = batch.x_0.to(device_);
  const at::Tensor x_t = masked() ? mask_tokens(schedule, x_0, times.t, noise)
                                  : corrupt(schedule, x_0, times.steps, noise);

  at::Tensor logits;
  {
    const AutocastScope autocast(device_, options_.precision);
    Features features;
    if (batch.prepared.defined()) features = model_.condition()(batch.prepared.to(device_));
    const at::Tensor row = at::tensor(times.table_rows, at::kLong).to(device_);
    logits = model_.denoiser().head(model_.denoiser().hidden(x_t, row, features));
  }
  const at::Tensor log_x0 = at::log_softmax(logits.to(at::kFloat), -1);
  const Loss loss = masked() ? masked_loss(schedule, log_x0, x_0, x_t, times.t, times.chances)
                             : diffusion_loss(schedule, options_.loss, log_x0, x_0, x_t,
                                              times.steps, times.chances);
  loss.total.backward();

  const double scale = rate_factor(options_.rate_shape, options_.warmup, step_, progress());
  DiffusionStep told;
  told.gradient = optimiser_.step(scale);
  bad_steps_ = std::isfinite(told.gradient) ? 0 : bad_steps_ + 1;
  if (bad_steps_ > kBadStepsAllowed) {
    throw Error("step " + std::to_string(step_), "the loss has not been a number for many steps",
                "try a smaller --learning-rate");
  }
  average_.update();
  if (bad_steps_ == 0) {
    timesteps_.update(times.steps, doubles(loss.bound), doubles(loss.weighed));
  }

  told.loss = loss.total.item<double>();
  told.x0 = loss.x0.nanmean().item<double>();
  told.accuracy = loss.accuracy.item<double>();
  told.learning_rate = options_.optimiser.learning_rate * scale;
  told.bits = timesteps_.expected_bound() / set_.header.length() / std::numbers::ln2;
  told.step = ++step_;
  told.seconds = seconds_ += seconds_since(start);
  told.done = progress();
  return told;
}

bool DiffusionTrainer::run(const std::function<bool(const DiffusionStep&)>& told) {
  while (progress() < 1) {
    if (!told(step())) return false;
  }
  return true;
}

void DiffusionTrainer::save_state(const std::string& path) const {
  Checkpoint checkpoint;
  checkpoint.kind = "diffusion";
  checkpoint.config = model_.config().to_json();
  checkpoint.options = options_.to_json();
  checkpoint.step = step_;
  checkpoint.seconds = seconds_;
  std::vector<NamedTensor> more = timesteps_.state();
  for (const NamedTensor& named : model_.constants()) more.push_back(named);
  save_checkpoint(path, checkpoint, model_.parameters(), optimiser_, average_, more);
}

void DiffusionTrainer::load_state(const std::string& path) {
  const CheckpointFile file = open_checkpoint(path);
  if (file.checkpoint.kind != "diffusion") {
    throw Error(path,
                "is the state of a " + file.checkpoint.kind + " run, not of a diffusion model's");
  }
  check_same_options(file.checkpoint.config, model_.config().to_json(), {}, path);
  check_same_options(file.checkpoint.options, options_.to_json(), {"steps", "max_seconds"}, path);
  load_checkpoint(file, model_.parameters(), optimiser_, average_);
  timesteps_.load_state(file.file.tensors);
  step_ = file.checkpoint.step;
  seconds_ = file.checkpoint.seconds;
}

void DiffusionTrainer::save(const std::string& path, const Json& history, bool force) const {
  model_.save(path, average_.tensors(), history, force);
}

ConditionConfig condition_for(const TokenSet& set, const std::string& word,
                              const TextEncoderConfig& text) {
  ConditionConfig config;
  config.text = text;
  if (word != "auto") {
    config.kind = parse_condition(word, "--condition");
  } else if (set.has_captions() || set.has_labels()) {
    config.kind = set.has_captions() ? ConditionKind::caption : ConditionKind::label;
  }
  if (config.kind == ConditionKind::caption && !set.has_captions())
    throw Error("--condition", "no record has a caption");
  if (config.kind == ConditionKind::label) {
    if (!set.has_labels()) throw Error("--condition", "no record has a label");
    config.classes = set.classes;
    const int64_t most = *std::max_element(set.labels.begin(), set.labels.end());
    for (auto i = static_cast<int64_t>(config.classes.size()); i <= most; ++i) {
      config.classes.push_back(std::to_string(i));
    }
  }
  return config;
}

Tokenizer vocabulary_for(const TokenSet& set, ConditionConfig& condition, int most_pieces,
                         int most_length) {
  if (condition.kind != ConditionKind::caption) return std::nullopt;
  std::vector<std::string> all;
  for (const auto& of_record : set.captions)
    all.insert(all.end(), of_record.begin(), of_record.end());
  Vocabulary vocabulary = Vocabulary::train(all, most_pieces);
  int longest = 1;
  for (const std::string& caption : all) longest = std::max(longest, vocabulary.count(caption));
  condition.text.length = std::min(most_length, longest);
  return vocabulary;
}

}  // namespace vq
