#include "lib/diffusion/engine_device.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <atomic>

#include "lib/diffusion/patches.h"
#include "lib/runtime/device.h"

namespace vq {
namespace {

constexpr int64_t kTypicalRows = 1024;  // means nothing to LibTorch's plain product
constexpr int64_t kPatchesTogether = 8192;

// More batch sizes than this at a time are not usual; each keeps its tensors.
constexpr size_t kReplays = 4;

// (2, T, D): gain, then shift, of every row of its table.
at::Tensor all_times(const AdaLayerNorm& norm) {
  const at::Tensor rows =
      at::arange(norm.table.weight.size(0), norm.table.weight.options().dtype(at::kLong));
  return at::stack(gain_and_shift(norm.vectors(rows)).chunk(2, -1));
}

// query (B, L, D), key and value (B, S, D), heads side by side in D -> (B, L, D).
at::Tensor attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                     int64_t heads) {
  const auto by_head = [heads](const at::Tensor& t) {
    return t.unflatten(-1, {heads, -1}).transpose(1, 2);
  };
  return at::scaled_dot_product_attention(by_head(query), by_head(key), by_head(value))
      .transpose(1, 2)
      .flatten(2);
}

// The features of another batch of the same size, unless they are those that are there.
void fill(DenoiserEngine::Prepared& to, const DenoiserEngine::Prepared& from) {
  if (from.number != 0 && to.number == from.number) return;
  for (size_t i = 0; i < to.key_value.size(); ++i) to.key_value[i].copy_(from.key_value[i]);
  for (size_t i = 0; i < to.label_norm.size(); ++i) to.label_norm[i].copy_(from.label_norm[i]);
  to.number = from.number;
}

// Autocast would round what is to stay in fp32.
AutocastScope exact_as_written(const at::Tensor& on) {
  return {on.is_cpu() ? at::kCPU : at::kCUDA, Precision::fp32};
}

}  // namespace

DeviceEngine::DeviceEngine(const Denoiser& denoiser, const CudaPlugin* plugin)
    : denoiser_(denoiser), plugin_(plugin) {
  const at::NoGradGuard no_grad;
  const auto scope = exact_as_written(denoiser.head_layer().weight);
  const auto product = [](const Linear& layer, double factor = 1, double bias_factor = 1) {
    return Product(layer, kTypicalRows, Precision::bf16, factor, bias_factor);
  };
  std::vector<at::Tensor> times;
  for (const Block& block : denoiser.blocks()) {
    Layer layer;
    layer.time_self = times.size();
    times.push_back(all_times(block.norm_self));
    layer.qkv = product(block.self.qkv);
    layer.out = product(block.self.out);
    layer.crosses = block.condition == ConditionKind::caption;
    if (layer.crosses) {
      layer.time_cross = times.size();
      times.push_back(all_times(block.norm_cross));
      layer.context = product(block.cross.key_value);
      layer.cross_query = product(block.cross.query);
      layer.cross_out = product(block.cross.out);
    }
    if (block.condition != ConditionKind::label) {
      layer.plain_gain = block.norm_mlp.weight.unsqueeze(0);
      layer.plain_shift = block.norm_mlp.bias.unsqueeze(0);
    }
    const auto& conv = block.conv_mlp;
    layer.mlp_in = product(conv ? as_product(conv->in) : block.mlp.in, kGelu2Slope, kGelu2Slope);
    layer.mlp_out = product(conv ? as_product(conv->out) : block.mlp.out, 1 / kGelu2Slope);
    layers_.push_back(std::move(layer));
  }
  times_ = at::stack(times);
  const DenoiserConfig& config = denoiser.config();
  if (config.convolutions) {
    around_ = upload(neighbours_everywhere(1, {config.grid_height, config.grid_width}),
                     denoiser.head_layer().weight.device());
  }
  head_ = product(denoiser.head_layer());
}

DenoiserEngine::Prepared DeviceEngine::prepare(const Features& features) const {
  const at::NoGradGuard no_grad;
  const auto scope = exact_as_written(denoiser_.head_layer().weight);
  static std::atomic<uint64_t> last = 0;
  Prepared prepared;
  prepared.number = ++last;
  for (size_t i = 0; i < layers_.size(); ++i) {
    const Block& block = denoiser_.blocks()[i];
    if (layers_[i].crosses)
      prepared.key_value.push_back(layers_[i].context(features.context.to(at::kBFloat16)));
    if (block.condition == ConditionKind::label)
      prepared.label_norm.push_back(gain_and_shift(block.norm_label.vectors(features.label)));
  }
  return prepared;
}

at::Tensor DeviceEngine::normed(at::Tensor& x, const at::Tensor& delta, const at::Tensor& gain,
                                const at::Tensor& shift, int64_t items) const {
  const int64_t length = x.size(0) / items;
  if (plugin_ != nullptr)
    return plugin_->add_norm(x, delta, gain, shift, gain.size(0) == 1 ? x.size(0) : length);
  if (delta.defined()) x.add_(delta);
  const at::Tensor by_item = at::layer_norm(x, {x.size(1)}).view({items, length, -1});
  return at::addcmul(shift.unsqueeze(1), by_item, gain.unsqueeze(1))
      .flatten(0, 1)
      .to(at::kBFloat16);
}

at::Tensor DeviceEngine::around(int64_t items) const {
  if (!around_.defined()) return {};
  // What lies beyond the edge of each grid is the row behind the last of all.
  const int64_t length = around_.size(0) / 9;
  const at::Tensor first = at::arange(items, around_.options()).unsqueeze(1) * length;
  return at::where(around_.eq(length), items * length, around_.unsqueeze(0) + first).flatten();
}

at::Tensor DeviceEngine::mlp(const Layer& layer, const at::Tensor& normed,
                             const at::Tensor& around) const {
  if (!around.defined()) return layer.mlp_out(layer.mlp_in.activated(normed));
  const at::Tensor between = of_patches(normed, around, kPatchesTogether, [&](const at::Tensor& x) {
    return layer.mlp_in.activated(x);
  });
  return of_patches(between, around, kPatchesTogether,
                    [&](const at::Tensor& x) { return layer.mlp_out(x); });
}

at::Tensor DeviceEngine::everywhere(const at::Tensor& x_t, const at::Tensor& table_rows,
                                    const Prepared& features) const {
  const int64_t heads = denoiser_.config().heads, items = x_t.size(0);
  const at::Tensor times = times_.index_select(2, table_rows);  // (norms, 2, B, D)
  const at::Tensor near = around(items);
  at::Tensor x = denoiser_.embedded(x_t).flatten(0, 1), delta;
  const auto by_item = [&](const at::Tensor& rows) { return rows.view({items, -1, rows.size(1)}); };
  const auto at_times = [&](size_t norm) {
    const at::Tensor both = times.select(0, static_cast<int64_t>(norm));
    return normed(x, delta, both.select(0, 0), both.select(0, 1), items);
  };
  for (size_t i = 0; i < layers_.size(); ++i) {
    const Layer& layer = layers_[i];
    const auto qkv = by_item(layer.qkv(at_times(layer.time_self))).chunk(3, -1);
    delta = layer.out(attention(qkv[0], qkv[1], qkv[2], heads).flatten(0, 1));
    if (layer.crosses) {
      const at::Tensor query = by_item(layer.cross_query(at_times(layer.time_cross)));
      const auto key_value = features.key_value[i].chunk(2, -1);
      delta = layer.cross_out(attention(query, key_value[0], key_value[1], heads).flatten(0, 1));
    }
    at::Tensor gain = layer.plain_gain, shift = layer.plain_shift;
    if (!gain.defined()) {
      const auto both = features.label_norm[i].chunk(2, -1);
      gain = both[0], shift = both[1];
    }
    delta = mlp(layer, normed(x, delta, gain, shift, items), near);
  }
  return x.add_(delta);
}

bool DeviceEngine::capture(Replay& replay, const at::Tensor& x_t, const at::Tensor& table_rows,
                           const Prepared& features) const {
  const auto own = [](const std::vector<at::Tensor>& all) {
    std::vector<at::Tensor> copies;
    for (const at::Tensor& t : all) copies.push_back(t.clone());
    return copies;
  };
  replay.x_t = x_t.clone(), replay.table_rows = table_rows.clone();
  replay.features = {own(features.key_value), own(features.label_norm), features.number};
  try {
    replay.graph = plugin_->capture(x_t.device(), [&] {
      replay.hidden = everywhere(replay.x_t, replay.table_rows, replay.features);
    });
  } catch (const c10::OutOfMemoryError&) {
    throw;                       // step by step would need no less
  } catch (const c10::Error&) {  // an operator that cannot be captured: step by step, then
    replays_.clear();
    captures_ = false;
  }
  return captures_;
}

const at::Tensor* DeviceEngine::replayed(const at::Tensor& x_t, const at::Tensor& table_rows,
                                         const Prepared& features) const {
  if (plugin_ == nullptr || !captures_) return nullptr;
  const auto found = replays_.find(x_t.size(0));
  if (found == replays_.end()) {  // the first time: perhaps the only one
    const auto longest_ago = std::min_element(
        replays_.begin(), replays_.end(),
        [](const auto& a, const auto& b) { return a.second.used < b.second.used; });
    if (replays_.size() == kReplays) replays_.erase(longest_ago);
    replays_[x_t.size(0)].used = ++steps_;
    return nullptr;
  }
  Replay& replay = found->second;
  replay.used = ++steps_;
  if (replay.graph == nullptr) {
    if (!capture(replay, x_t, table_rows, features)) return nullptr;
  } else {
    replay.x_t.copy_(x_t), replay.table_rows.copy_(table_rows);
    fill(replay.features, features);
  }
  replay.graph->replay();
  return &replay.hidden;
}

at::Tensor DeviceEngine::hidden(const at::Tensor& x_t, const std::vector<int64_t>& table_rows,
                                const Prepared& features, const at::Tensor& chosen) const {
  const at::NoGradGuard no_grad;
  const auto scope = exact_as_written(x_t);
  const at::Tensor rows = upload(at::tensor(table_rows, at::kLong), x_t.device());
  if (const at::Tensor* all = replayed(x_t, rows, features)) return all->index_select(0, chosen);
  return everywhere(x_t, rows, features).index_select(0, chosen);
}

at::Tensor DeviceEngine::head(const at::Tensor& hidden_rows) const {
  const at::NoGradGuard no_grad;
  const auto scope = exact_as_written(hidden_rows);
  return head_(denoiser_.head_norm()(hidden_rows).to(at::kBFloat16)).to(at::kFloat);
}

}  // namespace vq
