#include "lib/sampling/guess.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "formats/error.h"
#include "lib/runtime/device.h"

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
             Null null, const at::Tensor& negative, int reuse)
    : model_(model), guidance_(guidance), items_(prepared.size(0)) {
  guidance.check();
  if (model.condition().config().kind == ConditionKind::none) guidance_.scale = 1;
  conditioned_ = model.condition()(prepared.to(model.device()));
  if (!guidance_.off()) null_ = null_features(model, null, negative, prepared.size(0));
  if (reuse > 1 && (model.engine() == nullptr || !model.engine()->keeps()))
    throw Error::usage("--reuse", "needs an engine of a CPU, and a model without convolutions");
  kept_.every = reuse;
  kept_.steps.assign(static_cast<size_t>(guidance_.off() ? items_ : 2 * items_), 0);
  if (model.engine() != nullptr)
    prepared_ = model.engine()->prepare(guidance_.off() ? conditioned_ : join(conditioned_, null_));
}

at::Tensor Guess::hidden(const Running& run, bool guided) const {
  const auto of_items = [&](const Features& all) {
    return run.numbers.defined() ? rows_of(all, run.numbers) : all;
  };
  const Denoiser& denoiser = model_.denoiser();
  const at::Tensor row = upload(at::tensor(run.table_rows, at::kLong), run.tokens.device());
  if (!guided) return denoiser.hidden(run.tokens, row, of_items(conditioned_)).flatten(0, 1);
  return denoiser
      .hidden(at::cat({run.tokens, run.tokens}), at::cat({row, row}),
              join(of_items(conditioned_), of_items(null_)))
      .flatten(0, 1);
}

// The conditioned branch alone, where the guidance is off in a step. A replay that knows it again
// by its number need not copy it.
const DenoiserEngine::Prepared& Guess::prepared_unguided() const {
  if (!prepared_unguided_) {
    prepared_unguided_ = model_.device().is_cpu() ? prepared_.range(0, items_)
                                                  : model_.engine()->prepare(conditioned_);
  }
  return *prepared_unguided_;
}

at::Tensor Guess::hidden_chosen(const Running& run, bool guided) const {
  const DenoiserEngine& engine = *model_.engine();
  const bool all = !run.numbers.defined();
  at::Tensor tokens = run.tokens, inside = run.inside;
  std::vector<int64_t> table_rows = run.table_rows, items = run.items;
  DenoiserEngine::Prepared features = prepared_;
  if (guided) {
    tokens = at::cat({tokens, tokens});
    inside = at::cat({inside, inside + run.tokens.numel()});
    table_rows.insert(table_rows.end(), run.table_rows.begin(), run.table_rows.end());
    for (const int64_t item : run.items) items.push_back(item + items_);
    if (!all) features = prepared_.rows(at::cat({run.numbers, run.numbers + items_}));
  } else if (!all) {
    features = prepared_.rows(run.numbers);
  } else if (!guidance_.off()) {
    features = prepared_unguided();
  }
  if (kept_.every > 1)
    return engine.hidden_keeping(tokens, table_rows, features, inside, items, kept_);
  return engine.hidden(tokens, table_rows, features, inside);
}

Guess::Running Guess::running(const Question& question) const {
  const int64_t length = question.x_t.size(1);
  const at::Device device = question.x_t.device();
  Running run;
  // A device's engine replays batches of one size: items that need not run are cheaper than others.
  const bool whole = model_.engine() != nullptr && !device.is_cpu();
  std::vector<int64_t> skipped;  // before each chosen position: cells of items that do not run
  for (int64_t b = 0; b < items_; ++b) {
    const int64_t here = question.chosen_of_row[static_cast<size_t>(b)];
    if (here == 0 && !whole) continue;
    const auto place = static_cast<int64_t>(run.items.size());
    skipped.insert(skipped.end(), static_cast<size_t>(here), (b - place) * length);
    run.items.push_back(b);
    run.table_rows.push_back(
        static_cast<int64_t>(model_.schedule().table_row(question.times[static_cast<size_t>(b)])));
  }
  run.tokens = question.x_t, run.inside = question.chosen;
  if (static_cast<int64_t>(run.items.size()) == items_) return run;
  run.numbers = upload(at::tensor(run.items, at::kLong), device);
  run.tokens = question.x_t.index_select(0, run.numbers);
  run.inside = question.chosen - upload(at::tensor(skipped, at::kLong), device);
  return run;
}

// Each running item's share of [mask] decides how strong its guidance is.
at::Tensor Guess::scales(const Question& question, const Running& run) const {
  std::vector<double> each;
  bool guided = false;
  for (const int64_t item : run.items) {
    const double scale = guidance_.at(question.mask_share[static_cast<size_t>(item)]);
    each.insert(each.end(), static_cast<size_t>(question.chosen_of_row[static_cast<size_t>(item)]),
                scale);
    guided = guided || (scale != 1 && question.chosen_of_row[static_cast<size_t>(item)] > 0);
  }
  return guided ? upload(at::tensor(each, at::kDouble), question.x_t.device()) : at::Tensor();
}

Guess::Rows Guess::rows(const Question& question) const {
  const Running run = running(question);
  Rows rows;
  rows.scale = scales(question, run);
  const bool guided = rows.scale.defined();
  ++calls_;
  if (model_.engine() != nullptr) {
    rows.hidden = hidden_chosen(run, guided);
    rows.conditioned = at::arange(run.inside.numel(), run.inside.options());
    if (guided) rows.null = rows.conditioned + run.inside.numel();
  } else {
    rows.hidden = hidden(run, guided);
    rows.conditioned = run.inside;
    if (guided) rows.null = run.inside + run.tokens.numel();
  }
  return rows;
}

Guess::Both Guess::logits(const Rows& rows, int64_t first, int64_t count) const {
  const auto logits_at = [&](const at::Tensor& numbers) {
    const at::Tensor hidden = rows.hidden.index_select(0, numbers.narrow(0, first, count));
    const at::Tensor logits =
        model_.engine() != nullptr ? model_.engine()->head(hidden) : model_.denoiser().head(hidden);
    return logits.to(at::kFloat);
  };
  Both both;
  both.conditioned = logits_at(rows.conditioned);
  if (!rows.null.defined()) return both;
  both.null = logits_at(rows.null);
  both.scale = rows.scale.narrow(0, first, count);
  return both;
}

Guess::Both Guess::Both::normalised() const {
  return {at::log_softmax(conditioned, -1), null.defined() ? at::log_softmax(null, -1) : null,
          scale};
}

at::Tensor Guess::Both::guided() const {
  return null.defined() ? guide(conditioned, null, scale) : conditioned;
}

Guess::Both Guess::both(const Question& question) const {
  return logits(rows(question), 0, question.chosen.numel()).normalised();
}

void Guess::each_block(const Question& question, const Visit& visit) const {
  // On a CPU 4 MB of single numbers at K = 4096; elsewhere fewer, larger calls.
  const int64_t block = question.x_t.is_cpu() ? 256 : 8192;
  const Rows all = rows(question);
  for (int64_t first = 0; first < question.chosen.numel(); first += block)
    visit(first, logits(all, first, std::min(block, question.chosen.numel() - first)));
}

at::Tensor Guess::log_p(const Question& question) const {
  std::vector<at::Tensor> blocks;
  each_block(question,
             [&](int64_t, const Both& logits) { blocks.push_back(logits.normalised().guided()); });
  return blocks.size() == 1 ? blocks[0] : at::cat(blocks);
}

Question Guess::ask(const at::Tensor& x_t, const std::vector<double>& times,
                    const at::Tensor& chosen) const {
  Question question{x_t, times, chosen, {}, {}};
  const at::Tensor cells = chosen.to(at::kCPU, at::kLong).contiguous();
  question.chosen_of_row.resize(static_cast<size_t>(x_t.size(0)));
  for (int64_t i = 0; i < cells.numel(); ++i)
    ++question.chosen_of_row[static_cast<size_t>(cells.const_data_ptr<int64_t>()[i] / x_t.size(1))];
  const at::Tensor share =
      x_t.eq(model_.denoiser().mask()).to(at::kDouble).mean(1).to(at::kCPU).contiguous();
  const double* const shares = share.const_data_ptr<double>();
  question.mask_share.assign(shares, shares + share.numel());
  return question;
}

}  // namespace vq
