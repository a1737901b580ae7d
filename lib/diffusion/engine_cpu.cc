#include "lib/diffusion/engine_cpu.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "lib/runtime/attention_bf16.h"
#include "lib/runtime/device.h"
#include "lib/runtime/parallel.h"

namespace vq {
namespace {

// About as many rows as a step has; the library chooses the weights' layout by it.
constexpr int64_t kTypicalRows = 1024;
constexpr int64_t kPatchesTogether = 1024;
// AdaLN's weights are a fifth of a large network's: reading them anew for every timestep would cost
// more than the products with many of them at once.
constexpr int64_t kTimesTogether = 64;

Linear rows_of(const Linear& layer, int64_t from, int64_t to) {
  Linear part;
  part.weight = layer.weight.slice(0, from, to);
  part.bias = layer.bias.slice(0, from, to);
  return part;
}

std::vector<int64_t> to_vector(const at::Tensor& numbers) {
  const at::Tensor dense = numbers.to(at::kLong).contiguous();
  const int64_t* data = dense.const_data_ptr<int64_t>();
  return {data, data + dense.numel()};
}

std::vector<int64_t> even_rows(int64_t items, int64_t each) {
  std::vector<int64_t> first(items + 1);
  for (int64_t b = 0; b <= items; ++b) first[b] = b * each;
  return first;
}

// Whether every thread has about as many items as the others: at most an eighth of the time is
// spent waiting for the thread that has one more.
bool even_shares(int64_t items, int64_t threads) {
  const int64_t most = (items + threads - 1) / threads;
  return threads > 1 && 7 * most * threads <= 8 * items;
}

NormScale halves(const at::Tensor& both, const std::vector<int64_t>& first) {
  const auto parts = both.chunk(2, -1);
  return {parts[0].contiguous(), parts[1].contiguous(), first};
}

// The positions of a step that keeps the others: chosen, with another token than before, or all.
struct StepRows {
  std::vector<int64_t> inside;  // numbers into the flattened x_t
  std::vector<int64_t> kept;    // the same positions' numbers into what is kept
  std::vector<int64_t> first;   // (B + 1) each item's
};

StepRows rows_to_compute(const at::Tensor& x_t, const std::vector<int64_t>& chosen,
                         const std::vector<int64_t>& items, DenoiserEngine::Kept& kept) {
  const at::Tensor dense = x_t.contiguous();
  const int64_t* const tokens = dense.const_data_ptr<int64_t>();
  int64_t* const before = kept.tokens.data_ptr<int64_t>();
  const int64_t length = x_t.size(1);
  StepRows rows{{}, {}, {0}};
  size_t next = 0;  // of chosen
  for (size_t b = 0; b < items.size(); ++b) {
    int& steps = kept.steps[static_cast<size_t>(items[b])];
    const bool anew = steps == 0 || steps >= kept.every;
    steps = anew ? 1 : steps + 1;
    for (int64_t l = 0; l < length; ++l) {
      const int64_t here = static_cast<int64_t>(b) * length + l, there = items[b] * length + l;
      const bool asked = next < chosen.size() && chosen[next] == here;
      next += asked ? 1 : 0;
      if (!anew && !asked && before[there] == tokens[here]) continue;
      before[there] = tokens[here];
      rows.inside.push_back(here), rows.kept.push_back(there);
    }
    rows.first.push_back(static_cast<int64_t>(rows.inside.size()));
  }
  return rows;
}

}  // namespace

CpuEngine::Adaptive::Adaptive(const AdaLayerNorm& norm)
    : norm(&norm),
      values(at::empty({norm.table.weight.size(0), norm.linear.weight.size(0)})),
      known(norm.table.weight.size(0), false) {}

bool CpuEngine::Adaptive::learn(const std::vector<int64_t>& rows) {
  bool any = false;
  for (const int64_t row : rows) {
    if (known[row]) continue;
    const int64_t first = row / kTimesTogether * kTimesTogether;
    const int64_t end = std::min<int64_t>(first + kTimesTogether, values.size(0));
    const at::Tensor vectors = norm->vectors(at::arange(first, end, at::kLong));
    values.slice(0, first, end).copy_(gain_and_shift(vectors));
    std::fill(known.begin() + first, known.begin() + end, true);
    any = true;
  }
  return any;
}

CpuEngine::CpuEngine(const Denoiser& denoiser, Precision precision,
                     const std::function<void()>& weights_read)
    : denoiser_(denoiser),
      weights_read_(weights_read),
      heads_(denoiser.config().heads),
      grid_{denoiser.config().grid_height, denoiser.config().grid_width} {
  for (const Block& block : denoiser.blocks()) {
    Layer& layer = layers_.emplace_back();
    layer.block = &block;
    layer.norm_self = Adaptive(block.norm_self);
    if (block.condition == ConditionKind::caption) layer.norm_cross = Adaptive(block.norm_cross);
  }
  work_ = Background(layers_.size() + 2,
                     [this, precision, room = Product::Room()](size_t piece) mutable {
                       make_ready(piece, precision, room);
                       if (weights_read_) weights_read_();
                     });
}

void CpuEngine::make_ready(size_t piece, Precision precision, Product::Room& room) {
  const at::NoGradGuard no_grad;
  const auto product = [&](const Linear& linear, double factor = 1, double bias_factor = 1) {
    return Product(linear, kTypicalRows, precision, factor, bias_factor, &room);
  };
  const auto in_bf16 = [&](const Linear& linear) {
    return Product(linear, kTypicalRows, Precision::bf16, 1, 1, &room);
  };
  if (piece == 0) {
    for (Layer& layer : layers_) {
      if (layer.block->condition == ConditionKind::caption)
        layer.context = in_bf16(layer.block->cross.key_value);
    }
    return;
  }
  if (piece > layers_.size()) {
    head_ = in_bf16(denoiser_.head_layer());
    return;
  }
  Layer& layer = layers_[piece - 1];
  const Block& block = *layer.block;
  const int64_t width = denoiser_.config().width;
  if (piece < layers_.size()) {
    layer.qkv = product(block.self.qkv);
  } else {
    layer.last_query = product(rows_of(block.self.qkv, 0, width));
    layer.last_key_value = product(rows_of(block.self.qkv, width, 3 * width));
  }
  layer.out = product(block.self.out);
  if (block.condition == ConditionKind::caption) {
    layer.cross_query = product(block.cross.query);
    layer.cross_out = product(block.cross.out);
  }
  const auto& conv = block.conv_mlp;
  layer.mlp_in = product(conv ? as_product(conv->in) : block.mlp.in, kGelu2Slope, kGelu2Slope);
  layer.mlp_out = product(conv ? as_product(conv->out) : block.mlp.out, 1 / kGelu2Slope);
}

void CpuEngine::finish() const { work_.wait(layers_.size() + 1); }

DenoiserEngine::Prepared CpuEngine::prepare(const Features& features) const {
  const at::NoGradGuard no_grad;
  const AutocastScope whole(at::kCPU, Precision::fp32);
  Prepared prepared;
  work_.wait(0);
  for (const Layer& layer : layers_) {
    if (layer.block->condition == ConditionKind::caption)
      prepared.key_value.push_back(layer.context(features.context.to(at::kBFloat16)));
    if (layer.block->condition == ConditionKind::label)
      prepared.label_norm.push_back(
          gain_and_shift(layer.block->norm_label.vectors(features.label)));
  }
  return prepared;
}

void CpuEngine::learn_times(const std::vector<int64_t>& table_rows) const {
  for (Layer& layer : layers_) {
    bool any = layer.norm_self.learn(table_rows);
    if (layer.block->condition == ConditionKind::caption)
      any = layer.norm_cross.learn(table_rows) || any;
    if (any && weights_read_) weights_read_();
  }
}

NormScale CpuEngine::time_scale(const Adaptive& adaptive, const Step& step) const {
  const at::Tensor& values = adaptive.values;
  const bool alike = std::equal(step.table.begin() + 1, step.table.end(), step.table.begin());
  if (alike) return halves(values.narrow(0, step.table[0], 1), {0, step.x.size(0)});
  return halves(values.index_select(0, at::tensor(step.table, at::kLong)), step.first);
}

at::Tensor CpuEngine::self(const Layer& layer, Step& step, const at::Tensor& delta) const {
  const int64_t width = step.x.size(1), items = static_cast<int64_t>(step.table.size());
  const at::Tensor normed = add_norm_bf16(step.x, delta, time_scale(layer.norm_self, step));
  const at::Tensor qkv = layer.qkv(normed);
  const at::Tensor by_item = qkv.view({items, -1, 3 * width});
  return layer.out(attention_bf16(qkv.narrow(1, 0, width), step.first,
                                  by_item.narrow(2, width, width),
                                  by_item.narrow(2, 2 * width, width), heads_));
}

// From here on only these rows go on.
at::Tensor CpuEngine::last_self(const Layer& layer, Step& step, const at::Tensor& delta,
                                const std::vector<int64_t>& rows) const {
  const int64_t width = step.x.size(1), items = static_cast<int64_t>(step.table.size());
  const at::Tensor normed = add_norm_bf16(step.x, delta, time_scale(layer.norm_self, step));
  const at::Tensor key_value = layer.last_key_value(normed).view({items, -1, 2 * width});
  const at::Tensor chosen = at::tensor(rows, at::kLong);
  for (int64_t& first : step.first)
    first = std::lower_bound(rows.begin(), rows.end(), first) - rows.begin();
  step.x = step.x.index_select(0, chosen);
  const at::Tensor query = layer.last_query(normed.index_select(0, chosen));
  return layer.out(attention_bf16(query, step.first, key_value.narrow(2, 0, width),
                                  key_value.narrow(2, width, width), heads_));
}

at::Tensor CpuEngine::cross(const Layer& layer, size_t number, Step& step, const at::Tensor& delta,
                            const Prepared& features) const {
  const int64_t width = step.x.size(1);
  const at::Tensor normed = add_norm_bf16(step.x, delta, time_scale(layer.norm_cross, step));
  const at::Tensor& key_value = features.key_value[number];
  return layer.cross_out(attention_bf16(layer.cross_query(normed), step.first,
                                        key_value.narrow(2, 0, width),
                                        key_value.narrow(2, width, width), heads_));
}

at::Tensor CpuEngine::mlp(const Layer& layer, size_t number, Step& step, const at::Tensor& delta,
                          const Prepared& features) const {
  const LayerNorm& norm = layer.block->norm_mlp;
  const NormScale scale =
      layer.block->condition == ConditionKind::label
          ? halves(features.label_norm[number], step.first)
          : NormScale{norm.weight.unsqueeze(0), norm.bias.unsqueeze(0), {0, step.x.size(0)}};
  const at::Tensor normed = add_norm_bf16(step.x, delta, scale);
  if (!step.around_in.defined()) return layer.mlp_out(layer.mlp_in.activated(normed));
  const at::Tensor between =
      of_patches(normed, step.around_in, kPatchesTogether,
                 [&](const at::Tensor& x) { return layer.mlp_in.activated(x); });
  return of_patches(between, step.around_out, kPatchesTogether,
                    [&](const at::Tensor& x) { return layer.mlp_out(x); });
}

std::vector<int64_t> CpuEngine::surroundings(const std::vector<int64_t>& chosen, Step& step) const {
  if (!denoiser_.config().convolutions) return chosen;
  const std::vector<int64_t> near = grown(chosen, grid_), far = grown(near, grid_);
  step.around_in = neighbours(far, near, grid_);
  step.around_out = neighbours(near, chosen, grid_);
  return far;
}

at::Tensor CpuEngine::hidden(const at::Tensor& x_t, const std::vector<int64_t>& table,
                             const Prepared& features, const at::Tensor& chosen) const {
  const at::NoGradGuard no_grad;
  const AutocastScope whole(at::kCPU, Precision::fp32);
  finish();
  learn_times(table);  // here, where no threads are at work on them yet
  const int64_t items = x_t.size(0), length = x_t.size(1), threads = at::get_num_threads();
  if (!even_shares(items, threads)) return hidden_of(x_t, table, features, chosen);
  const std::vector<int64_t> wanted = to_vector(chosen);
  std::vector<at::Tensor> parts(static_cast<size_t>(threads));
  side_by_side(threads, [&](int64_t piece) {
    const int64_t first = items * piece / threads, end = items * (piece + 1) / threads;
    const auto begin_row = std::lower_bound(wanted.begin(), wanted.end(), first * length);
    const auto end_row = std::lower_bound(wanted.begin(), wanted.end(), end * length);
    const at::Tensor rows = chosen.slice(0, begin_row - wanted.begin(), end_row - wanted.begin());
    at::Tensor& part = parts[static_cast<size_t>(piece)];
    if (rows.numel() == 0) {
      part = at::empty({0, denoiser_.config().width});
      return;
    }
    const int64_t count = end - first;
    part = hidden_of(x_t.narrow(0, first, count), {table.begin() + first, table.begin() + end},
                     features.range(first, count), rows - first * length);
  });
  return at::cat(parts);
}

at::Tensor CpuEngine::hidden_of(const at::Tensor& x_t, const std::vector<int64_t>& table,
                                const Prepared& features, const at::Tensor& chosen) const {
  const at::NoGradGuard no_grad;  // these two hold for one thread
  const AutocastScope whole(at::kCPU, Precision::fp32);
  Step step{denoiser_.embedded(x_t).flatten(0, 1), even_rows(x_t.size(0), x_t.size(1)), table};
  if (denoiser_.config().convolutions)
    step.around_in = step.around_out = neighbours_everywhere(x_t.size(0), grid_);
  const std::vector<int64_t> wanted = to_vector(chosen);
  std::vector<int64_t> last;
  at::Tensor delta;
  for (size_t i = 0; i < layers_.size(); ++i) {
    const Layer& layer = layers_[i];
    if (i + 1 == layers_.size()) last = surroundings(wanted, step);
    delta = i + 1 < layers_.size() ? self(layer, step, delta) : last_self(layer, step, delta, last);
    if (layer.block->condition == ConditionKind::caption)
      delta = cross(layer, i, step, delta, features);
    delta = mlp(layer, i, step, delta, features);
  }
  if (last.size() == wanted.size()) return step.x + delta;
  return step.x.index_select(0, at::searchsorted(at::tensor(last, at::kLong), chosen)) + delta;
}

at::Tensor CpuEngine::self_keeping(size_t number, Step& step, const at::Tensor& delta,
                                   const at::Tensor& kept_rows, const at::Tensor& items,
                                   Kept& kept) const {
  const Layer& layer = layers_[number];
  const int64_t width = step.x.size(1);
  const at::Tensor normed = add_norm_bf16(step.x, delta, time_scale(layer.norm_self, step));
  at::Tensor query, key_value;
  if (number + 1 < layers_.size()) {
    const at::Tensor qkv = layer.qkv(normed);
    query = qkv.narrow(1, 0, width), key_value = qkv.narrow(1, width, 2 * width);
  } else {
    query = layer.last_query(normed), key_value = layer.last_key_value(normed);
  }
  at::Tensor& all = kept.key_value[number];
  all.flatten(0, 1).index_copy_(0, kept_rows, key_value);
  const at::Tensor ours = items.numel() == all.size(0) ? all : all.index_select(0, items);
  return layer.out(attention_bf16(query, step.first, ours.narrow(2, 0, width),
                                  ours.narrow(2, width, width), heads_));
}

at::Tensor CpuEngine::hidden_keeping(const at::Tensor& x_t, const std::vector<int64_t>& table,
                                     const Prepared& features, const at::Tensor& chosen,
                                     const std::vector<int64_t>& items, Kept& kept) const {
  const at::NoGradGuard no_grad;
  const AutocastScope whole(at::kCPU, Precision::fp32);
  finish();
  learn_times(table);
  if (kept.key_value.empty()) {
    const int64_t all = static_cast<int64_t>(kept.steps.size());
    for (size_t i = 0; i < layers_.size(); ++i)
      kept.key_value.push_back(
          at::empty({all, x_t.size(1), 2 * denoiser_.config().width}, at::kBFloat16));
    kept.tokens = at::empty({all, x_t.size(1)}, at::kLong);
  }
  const StepRows rows = rows_to_compute(x_t, to_vector(chosen), items, kept);
  const at::Tensor inside = at::tensor(rows.inside, at::kLong);
  Step step{denoiser_.embedded(x_t).flatten(0, 1).index_select(0, inside), rows.first, table};
  const at::Tensor kept_rows = at::tensor(rows.kept, at::kLong);
  const at::Tensor numbers = at::tensor(items, at::kLong);
  at::Tensor delta;
  for (size_t i = 0; i < layers_.size(); ++i) {
    delta = self_keeping(i, step, delta, kept_rows, numbers, kept);
    if (layers_[i].block->condition == ConditionKind::caption)
      delta = cross(layers_[i], i, step, delta, features);
    delta = mlp(layers_[i], i, step, delta, features);
  }
  return (step.x + delta).index_select(0, at::searchsorted(inside, chosen));
}

at::Tensor CpuEngine::head(const at::Tensor& hidden_rows) const {
  const at::NoGradGuard no_grad;
  const AutocastScope whole(at::kCPU, Precision::fp32);
  finish();
  return head_(denoiser_.head_norm()(hidden_rows).to(at::kBFloat16)).to(at::kFloat);
}

}  // namespace vq
