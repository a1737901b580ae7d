#include "lib/scoring/noised_records.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>

#include "formats/error.h"
#include "formats/token_header.h"
#include "lib/diffusion/corrupt.h"
#include "lib/random.h"

namespace vq {
namespace {

// Guesses are doubles and a few copies of them are made, so this is a few hundred MiB.
constexpr int64_t kMostNumbers = int64_t{1} << 23;

UniformGrid noise_of(uint64_t seed, const std::vector<NoisedRow>& rows, int64_t length) {
  std::vector<at::Tensor> first, second;
  for (const NoisedRow& row : rows) {
    const UniformGrid one =
        uniform_grid(seed, Purpose::corrupt, {static_cast<uint64_t>(row.record)}, row.draw, length);
    first.push_back(one.first);
    second.push_back(one.second);
  }
  return {at::cat(first), at::cat(second)};
}

}  // namespace

at::Tensor NoisedRecords::prepared(const std::vector<NoisedRow>& rows) const {
  const Condition& condition = model_.condition();
  std::vector<int64_t> all;
  for (const NoisedRow& row : rows) {
    const auto record = static_cast<size_t>(row.record);
    std::vector<int64_t> one = condition.prepare_null();
    if (condition.config().kind == ConditionKind::label) {
      one = condition.prepare_label(set_.labels.at(record));
    } else if (condition.config().kind == ConditionKind::caption) {
      const auto& captions = set_.captions.at(record);
      const double u =
          uniform(seed_, Purpose::drop, {static_cast<uint64_t>(row.record), row.draw, 0});
      one = condition.prepare_caption(
          captions[static_cast<size_t>(u * static_cast<double>(captions.size()))]);
    }
    all.insert(all.end(), one.begin(), one.end());
  }
  return at::tensor(all, at::kLong).view({static_cast<int64_t>(rows.size()), -1});
}

NoisedBatch NoisedRecords::operator()(const std::vector<NoisedRow>& rows) const {
  const at::NoGradGuard no_grad;
  const at::Device device = model_.device();
  std::vector<int64_t> records, table_rows;
  std::vector<int> times;
  for (const NoisedRow& row : rows) {
    records.push_back(row.record);
    times.push_back(row.time);
    table_rows.push_back(model_.schedule().table_row(row.time));
  }
  const UniformGrid noise = noise_of(seed_, rows, set_.header.length());
  NoisedBatch batch;
  batch.x_0 = set_.batch(records).to(device);
  batch.x_t = corrupt(model_.schedule(), batch.x_0, times, noise);
  const Features features = model_.condition()(prepared(rows).to(device));
  if (const DenoiserEngine* engine = model_.engine()) {
    const at::Tensor all = at::arange(batch.x_t.numel(), batch.x_t.options());
    batch.hidden = engine->hidden(batch.x_t, table_rows, engine->prepare(features), all)
                       .view({batch.x_t.size(0), batch.x_t.size(1), -1});
  } else {
    const at::Tensor rows = at::tensor(table_rows, at::kLong).to(device);
    batch.hidden = model_.denoiser().hidden(batch.x_t, rows, features);
  }
  return batch;
}

at::Tensor log_guess(const DiffusionModel& model, const at::Tensor& hidden) {
  const at::NoGradGuard no_grad;
  const at::Tensor logits =
      model.engine() != nullptr ? model.engine()->head(hidden) : model.denoiser().head(hidden);
  return at::log_softmax(logits.to(at::kDouble), -1);
}

int64_t rows_at_once(int64_t width) { return std::max<int64_t>(1, kMostNumbers / width); }

void check_fits(const DiffusionModel& model, const TokenSet& set, const std::string& where) {
  const GridHeader own = model.grid_header();
  const GridHeader& given = set.header;
  if (own.height != given.height || own.width != given.width) {
    throw Error(where, fmt::format("has grids of {} x {}; the model's are {} x {}", given.height,
                                   given.width, own.height, own.width));
  }
  if (own.codebook_size != given.codebook_size) {
    throw Error(where, fmt::format("has a codebook of {}; the model's has {}", given.codebook_size,
                                   own.codebook_size));
  }
  if (!own.codec.empty() && !given.codec.empty() && !same_codec(own.codec, given.codec)) {
    throw Error(where, fmt::format("was made with codec {}; the model was trained on codec {}",
                                   given.codec.substr(0, 16), own.codec.substr(0, 16)));
  }
  const ConditionConfig& condition = model.condition().config();
  if (condition.kind == ConditionKind::caption && !set.has_captions()) {
    throw Error(where, "has no captions, to which the model listens");
  }
  if (condition.kind != ConditionKind::label) return;
  if (!set.has_labels()) throw Error(where, "has no labels, to which the model listens");
  const int64_t most = *std::max_element(set.labels.begin(), set.labels.end());
  const auto classes = static_cast<int64_t>(condition.classes.size());
  if (most >= classes) {
    throw Error(where, fmt::format("has the label {}; the model knows 0..{}", most, classes - 1));
  }
}

}  // namespace vq
