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
    : model_(model), guidance_(guidance), items_(prepared.size(0)) {
  guidance.check();
  if (model.condition().config().kind == ConditionKind::none) guidance_.scale = 1;
  conditioned_ = model.condition()(prepared.to(model.device()));
  if (!guidance_.off()) null_ = null_features(model, null, negative, prepared.size(0));
  if (model.engine() != nullptr)
    prepared_ = model.engine()->prepare(guidance_.off() ? conditioned_ : join(conditioned_, null_));
}

at::Tensor Guess::hidden(const Asked& asked, bool guided) const {
  const Features features = rows_of(conditioned_, asked.items);
  const Denoiser& denoiser = model_.denoiser();
  if (!guided) return denoiser.hidden(asked.tokens, asked.row, features).flatten(0, 1);
  return denoiser
      .hidden(at::cat({asked.tokens, asked.tokens}), at::cat({asked.row, asked.row}),
              join(features, rows_of(null_, asked.items)))
      .flatten(0, 1);
}

at::Tensor Guess::hidden_chosen(const Asked& asked, bool guided) const {
  const DenoiserEngine& engine = *model_.engine();
  if (!guided)
    return engine.hidden(asked.tokens, asked.row, prepared_.rows(asked.items), asked.inside);
  const at::Tensor both = at::cat({asked.items, asked.items + items_});
  return engine.hidden(at::cat({asked.tokens, asked.tokens}), at::cat({asked.row, asked.row}),
                       prepared_.rows(both),
                       at::cat({asked.inside, asked.inside + asked.tokens.numel()}));
}

Guess::Rows Guess::run(const at::Tensor& x_t, const std::vector<double>& times,
                       const at::Tensor& chosen) const {
  const int64_t length = x_t.size(1);
  const at::Tensor batch_row = at::floor_divide(chosen, length);
  const auto [running, place] = at::_unique(batch_row, /*sorted=*/true, /*return_inverse=*/true);
  const at::Tensor tokens = x_t.index_select(0, running);
  const at::Tensor inside = place * length + chosen.remainder(length);

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
  const Asked asked{running, tokens, row, inside};
  if (model_.engine() != nullptr) {
    rows.hidden = hidden_chosen(asked, guided);
    rows.conditioned = at::arange(chosen.numel(), chosen.options());
    if (guided) rows.null = rows.conditioned + chosen.numel();
  } else {
    rows.hidden = hidden(asked, guided);
    rows.conditioned = inside;
    if (guided) rows.null = inside + tokens.numel();
  }
  if (guided) rows.scale = at::tensor(scales, at::kDouble).to(x_t.device()).index_select(0, place);
  return rows;
}

Guess::Both Guess::heads(const Rows& rows, int64_t first, int64_t count) const {
  const auto log_p_at = [&](const at::Tensor& numbers) {
    const at::Tensor hidden = rows.hidden.index_select(0, numbers.narrow(0, first, count));
    const at::Tensor logits =
        model_.engine() != nullptr ? model_.engine()->head(hidden) : model_.denoiser().head(hidden);
    return at::log_softmax(logits.to(at::kFloat), -1);
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
