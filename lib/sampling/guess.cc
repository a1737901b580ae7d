#include "lib/sampling/guess.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "formats/error.h"

namespace vq {
namespace {

Features rows_of(const Features& features, const at::Tensor& rows) {
  const auto pick = [&](const at::Tensor& t) {
    return t.defined() ? t.index_select(0, rows) : at::Tensor();
  };
  return {pick(features.context), pick(features.label)};
}

Features null_features(const DiffusionModel& model, Null null, const at::Tensor& negative,
                       int64_t rows) {
  const Condition& condition = model.condition();
  if (negative.defined())
    return condition(negative.unsqueeze(0).expand({rows, -1}).to(model.device()));
  if (null == Null::learned) return condition.null(rows);
  if (condition.config().kind != ConditionKind::caption) {
    throw Error::usage("--null", "this model's classes have a learned null only");
  }
  if (null == Null::zero) return {at::zeros_like(condition.null(rows).context), {}};
  const at::Tensor empty = at::tensor(condition.prepare_caption(""), at::kLong);
  return condition(empty.unsqueeze(0).expand({rows, -1}).to(model.device()));
}

}  // namespace

Guess::Guess(const DiffusionModel& model, const at::Tensor& prepared, const Guidance& guidance,
             Null null, const at::Tensor& negative)
    : model_(model), guidance_(guidance) {
  guidance.check();
  if (model.condition().config().kind == ConditionKind::none) guidance_.scale = 1;
  conditioned_ = model.condition()(prepared.to(model.device()));
  if (!guidance_.off()) null_ = null_features(model, null, negative, prepared.size(0));
}

Guess::Rows Guess::run(const at::Tensor& x_t, const std::vector<double>& times,
                       const at::Tensor& chosen) const {
  const int64_t length = x_t.size(1);
  const at::Tensor batch_row = at::floor_divide(chosen, length);
  const auto [running, place] = at::_unique(batch_row, /*sorted=*/true, /*return_inverse=*/true);
  const at::Tensor tokens = x_t.index_select(0, running);

  std::vector<int64_t> table(times.size());
  for (size_t i = 0; i < times.size(); ++i) table[i] = model_.schedule().table_row(times[i]);
  const at::Tensor row = at::tensor(table, at::kLong).to(x_t.device()).index_select(0, running);

  // Each running row's share of [mask] decides how strong its guidance is.
  const at::Tensor share =
      tokens.eq(model_.denoiser().mask()).to(at::kDouble).mean(1).to(at::kCPU).contiguous();
  std::vector<double> scales;
  bool guided = false;
  for (int64_t i = 0; i < share.numel(); ++i) {
    scales.push_back(guidance_.at(share.data_ptr<double>()[i]));
    guided = guided || scales.back() != 1;
  }

  ++calls_;
  Rows rows;
  const Features features = rows_of(conditioned_, running);
  rows.conditioned = place * length + chosen.remainder(length);
  if (!guided) {
    rows.hidden = model_.denoiser().hidden(tokens, row, features).flatten(0, 1);
    return rows;
  }
  rows.hidden = model_.denoiser()
                    .hidden(at::cat({tokens, tokens}), at::cat({row, row}),
                            join(features, rows_of(null_, running)))
                    .flatten(0, 1);
  rows.null = rows.conditioned + tokens.numel();
  rows.scale = at::tensor(scales, at::kDouble).to(x_t.device()).index_select(0, place);
  return rows;
}

Guess::Both Guess::heads(const Rows& rows, int64_t first, int64_t count) const {
  const auto log_p_at = [&](const at::Tensor& numbers) {
    const at::Tensor hidden = rows.hidden.index_select(0, numbers.narrow(0, first, count));
    return at::log_softmax(model_.denoiser().head(hidden).to(at::kFloat), -1);
  };
  Both both;
  both.conditioned = log_p_at(rows.conditioned);
  if (!rows.null.defined()) return both;
  both.null = log_p_at(rows.null);
  both.scale = rows.scale.narrow(0, first, count);
  return both;
}

Guess::Both Guess::both(const at::Tensor& x_t, const std::vector<double>& times,
                        const at::Tensor& chosen) const {
  return heads(run(x_t, times, chosen), 0, chosen.numel());
}

void Guess::each_log_p(const at::Tensor& x_t, const std::vector<double>& times,
                       const at::Tensor& chosen, const Visit& visit) const {
  constexpr int64_t block = 256;  // 4 MB of single numbers at K = 4096
  const Rows rows = run(x_t, times, chosen);
  for (int64_t first = 0; first < chosen.numel(); first += block) {
    const Both guess = heads(rows, first, std::min(block, chosen.numel() - first));
    visit(first, guess.null.defined() ? guide(guess.conditioned, guess.null, guess.scale)
                                      : guess.conditioned);
  }
}

at::Tensor Guess::log_p(const at::Tensor& x_t, const std::vector<double>& times,
                        const at::Tensor& chosen) const {
  std::vector<at::Tensor> blocks;
  each_log_p(x_t, times, chosen,
             [&](int64_t, const at::Tensor& log_p) { blocks.push_back(log_p); });
  return blocks.size() == 1 ? blocks[0] : at::cat(blocks);
}

}  // namespace vq
