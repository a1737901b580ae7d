#include "lib/diffusion/engine_device.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "lib/runtime/device.h"

namespace vq {
namespace {

constexpr int64_t kTypicalRows = 1024;  // means nothing to LibTorch's plain product

at::Tensor all_times(const AdaLayerNorm& norm) {
  const at::Tensor rows =
      at::arange(norm.table.weight.size(0), norm.table.weight.options().dtype(at::kLong));
  return gain_and_shift(norm.vectors(rows));
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

// Autocast would round what is to stay in fp32.
AutocastScope exact_as_written(const at::Tensor& on) {
  return {on.is_cpu() ? at::kCPU : at::kCUDA, Precision::fp32};
}

}  // namespace

DeviceEngine::DeviceEngine(const Denoiser& denoiser) : denoiser_(denoiser) {
  const at::NoGradGuard no_grad;
  const auto scope = exact_as_written(denoiser.head_layer().weight);
  const auto product = [](const Linear& layer, double factor = 1, double bias_factor = 1) {
    return Product(layer, kTypicalRows, Precision::bf16, factor, bias_factor);
  };
  for (const Block& block : denoiser.blocks()) {
    Layer layer;
    layer.time_self = all_times(block.norm_self);
    layer.qkv = product(block.self.qkv);
    layer.out = product(block.self.out);
    if (block.condition == ConditionKind::caption) {
      layer.time_cross = all_times(block.norm_cross);
      layer.context = product(block.cross.key_value);
      layer.cross_query = product(block.cross.query);
      layer.cross_out = product(block.cross.out);
    }
    if (block.condition != ConditionKind::label)
      layer.plain = at::cat({block.norm_mlp.weight, block.norm_mlp.bias}).unsqueeze(0);
    layer.mlp_in = product(block.mlp.in, kGelu2Slope, kGelu2Slope);
    layer.mlp_out = product(block.mlp.out, 1 / kGelu2Slope);
    layers_.push_back(std::move(layer));
  }
  head_ = product(denoiser.head_layer());
}

DenoiserEngine::Prepared DeviceEngine::prepare(const Features& features) const {
  const at::NoGradGuard no_grad;
  const auto scope = exact_as_written(denoiser_.head_layer().weight);
  Prepared prepared;
  for (size_t i = 0; i < layers_.size(); ++i) {
    const Block& block = denoiser_.blocks()[i];
    if (block.condition == ConditionKind::caption)
      prepared.key_value.push_back(layers_[i].context(features.context.to(at::kBFloat16)));
    if (block.condition == ConditionKind::label)
      prepared.label_norm.push_back(gain_and_shift(block.norm_label.vectors(features.label)));
  }
  return prepared;
}

at::Tensor DeviceEngine::normed(at::Tensor& x, const at::Tensor& delta,
                                const at::Tensor& both) const {
  if (delta.defined()) x.add_(delta);
  const auto parts = both.unsqueeze(1).chunk(2, -1);
  return at::addcmul(parts[1], at::layer_norm(x, {x.size(-1)}), parts[0]).to(at::kBFloat16);
}

at::Tensor DeviceEngine::everywhere(const at::Tensor& x_t, const at::Tensor& table_rows,
                                    const Prepared& features) const {
  const int64_t heads = denoiser_.config().heads;
  at::Tensor x = denoiser_.embedded(x_t), delta;
  for (size_t i = 0; i < layers_.size(); ++i) {
    const Layer& layer = layers_[i];
    const auto at_times = [&](const at::Tensor& all) { return all.index_select(0, table_rows); };
    const auto qkv = layer.qkv(normed(x, delta, at_times(layer.time_self))).chunk(3, -1);
    delta = layer.out(attention(qkv[0], qkv[1], qkv[2], heads));
    if (layer.time_cross.defined()) {
      const at::Tensor query = layer.cross_query(normed(x, delta, at_times(layer.time_cross)));
      const auto key_value = features.key_value[i].chunk(2, -1);
      delta = layer.cross_out(attention(query, key_value[0], key_value[1], heads));
    }
    const at::Tensor& scale = layer.plain.defined() ? layer.plain : features.label_norm[i];
    delta = layer.mlp_out(layer.mlp_in.activated(normed(x, delta, scale)));
  }
  return x.add_(delta).flatten(0, 1);
}

at::Tensor DeviceEngine::hidden(const at::Tensor& x_t, const std::vector<int64_t>& table_rows,
                                const Prepared& features, const at::Tensor& chosen) const {
  const at::NoGradGuard no_grad;
  const auto scope = exact_as_written(x_t);
  const at::Tensor rows = upload(at::tensor(table_rows, at::kLong), x_t.device());
  return everywhere(x_t, rows, features).index_select(0, chosen);
}

at::Tensor DeviceEngine::head(const at::Tensor& hidden_rows) const {
  const at::NoGradGuard no_grad;
  const auto scope = exact_as_written(hidden_rows);
  return head_(denoiser_.head_norm()(hidden_rows).to(at::kBFloat16)).to(at::kFloat);
}

}  // namespace vq
