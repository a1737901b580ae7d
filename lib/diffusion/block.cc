#include "lib/diffusion/block.h"

#include <ATen/ATen.h>

namespace vq {
AdaLayerNorm::AdaLayerNorm(Parameters& p, const std::string& name, int64_t rows, int64_t width)
    : table(p, name + ".embedding", rows, width), linear(p, name + ".linear", width, 2 * width) {}

at::Tensor AdaLayerNorm::vectors(const at::Tensor& row) const {
  return linear.rows_padded(at::silu(table(row)));
}

at::Tensor AdaLayerNorm::operator()(const at::Tensor& x, const at::Tensor& row) const {
  const at::Tensor both = vectors(row).unsqueeze(1);
  const auto parts = both.chunk(2, -1);
  return at::addcmul(parts[1], at::layer_norm(x, {x.size(-1)}), parts[0] + 1);
}

Block::Block(Parameters& p, const std::string& name, const BlockSizes& s)
    : norm_self(p, name + ".norm_self", s.timesteps, s.width),
      self(p, name + ".self", s.width, s.heads),
      mlp(p, name + ".mlp", s.width, s.mlp_times),
      condition(s.condition) {
  if (condition == ConditionKind::caption) {
    norm_cross = AdaLayerNorm(p, name + ".norm_cross", s.timesteps, s.width);
    cross = CrossAttention(p, name + ".cross", s.width, s.context_width, s.heads);
  }
  if (condition == ConditionKind::label) {
    norm_label = AdaLayerNorm(p, name + ".norm_label", s.label_rows, s.width);
  } else {
    norm_mlp = LayerNorm(p, name + ".norm_mlp", s.width);
  }
}

at::Tensor Block::operator()(at::Tensor x, const at::Tensor& row, const at::Tensor& context,
                             const at::Tensor& label) const {
  x = x + self(norm_self(x, row));
  if (condition == ConditionKind::caption) x = x + cross(norm_cross(x, row), context);
  return x + mlp(condition == ConditionKind::label ? norm_label(x, label) : norm_mlp(x));
}

}  // namespace vq
