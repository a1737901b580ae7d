#include "lib/weights/attention.h"

#include <ATen/ATen.h>

namespace vq {
namespace {

// (B, L, D) -> (B, heads, L, D / heads)
at::Tensor split_heads(const at::Tensor& x, int64_t heads) {
  return x.view({x.size(0), x.size(1), heads, x.size(2) / heads}).transpose(1, 2);
}

at::Tensor join_heads(const at::Tensor& x) {
  const at::Tensor y = x.transpose(1, 2);
  return y.reshape({y.size(0), y.size(1), y.size(2) * y.size(3)});
}

}  // namespace

SelfAttention::SelfAttention(Parameters& p, const std::string& name, int64_t width, int64_t heads)
    : qkv(p, name + ".qkv", width, 3 * width), out(p, name + ".out", width, width), heads(heads) {}

at::Tensor SelfAttention::operator()(const at::Tensor& x) const {
  const auto parts = qkv(x).chunk(3, -1);
  const at::Tensor mixed = at::scaled_dot_product_attention(
      split_heads(parts[0], heads), split_heads(parts[1], heads), split_heads(parts[2], heads));
  return out(join_heads(mixed));
}

CrossAttention::CrossAttention(Parameters& p, const std::string& name, int64_t width,
                               int64_t context_width, int64_t heads)
    : query(p, name + ".query", width, width),
      key_value(p, name + ".key_value", context_width, 2 * width),
      out(p, name + ".out", width, width),
      heads(heads) {}

at::Tensor CrossAttention::operator()(const at::Tensor& x, const at::Tensor& context) const {
  const auto parts = key_value(context).chunk(2, -1);
  const at::Tensor mixed = at::scaled_dot_product_attention(
      split_heads(query(x), heads), split_heads(parts[0], heads), split_heads(parts[1], heads));
  return out(join_heads(mixed));
}

Mlp::Mlp(Parameters& p, const std::string& name, int64_t width, int64_t times)
    : in(p, name + ".in", width, times * width), out(p, name + ".out", times * width, width) {}

at::Tensor Mlp::operator()(const at::Tensor& x) const {
  constexpr double kSlope = 1.702;
  // x sigmoid(1.702 x), by way of silu(y) = y sigmoid(y), which the library has in one kernel.
  return out(at::silu(in(x)*kSlope) * (1 / kSlope));
}

}  // namespace vq
