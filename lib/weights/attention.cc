#include "lib/weights/attention.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>

namespace vq {
namespace {

// On a CPU the gradient of the library's fused attention is slow for short sequences: 16 x 16
// scores in bf16 take seven times what two plain products do (batch 32, 4 heads of 32, two Zen 4
// cores); the fused one is ahead from about 256 x 256 on.
constexpr int64_t kPlainScores = 128 * 128;

// (B, L, D) -> (B, heads, L, D / heads)
at::Tensor split_heads(const at::Tensor& x, int64_t heads) {
  return x.view({x.size(0), x.size(1), heads, x.size(2) / heads}).transpose(1, 2);
}

at::Tensor join_heads(const at::Tensor& x) {
  const at::Tensor y = x.transpose(1, 2);
  return y.reshape({y.size(0), y.size(1), y.size(2) * y.size(3)});
}

at::Tensor attend(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                  int64_t heads) {
  const at::Tensor k = split_heads(key, heads), v = split_heads(value, heads);
  const bool plain =
      at::GradMode::is_enabled() && query.is_cpu() && query.size(1) * key.size(1) <= kPlainScores;
  if (!plain) return join_heads(at::scaled_dot_product_attention(split_heads(query, heads), k, v));
  const double scale = 1 / std::sqrt(static_cast<double>(query.size(2) / heads));
  const at::Tensor scores = split_heads(query * scale, heads).matmul(k.transpose(2, 3));
  return join_heads(scores.softmax(-1).to(v.scalar_type()).matmul(v));
}

// x sigmoid(1.702 x), by way of silu(y) = y sigmoid(y), which the library has in one kernel.
at::Tensor gelu2(const at::Tensor& x) {
  constexpr double kSlope = 1.702;
  return at::silu(x * kSlope) * (1 / kSlope);
}

// A 3x3 convolution of a grid's rows, (B, L, in) -> (B, L, out).
at::Tensor convolve_rows(const Conv2d& conv, const at::Tensor& x, int64_t height, int64_t width) {
  const int64_t in = x.size(2), out = conv.weight.size(0);
  const at::Tensor cells = x.transpose(1, 2).reshape({-1, in, height, width});
  if (!x.is_cpu() || at::GradMode::is_enabled())
    return conv(cells).flatten(2).transpose(1, 2).contiguous();
  // Grid by grid: nine copies of one grid are a small table, of a batch they are not.
  Linear product;
  product.weight = conv.weight.view({out, in * 9}), product.bias = conv.bias;
  std::vector<at::Tensor> grids;
  for (const at::Tensor& grid : cells.split(1)) {
    const at::Tensor patches = at::im2col(grid, {3, 3}, {1, 1}, {1, 1}, {1, 1});
    grids.push_back(product(patches.transpose(1, 2).contiguous()));
  }
  return at::cat(grids);
}

}  // namespace

SelfAttention::SelfAttention(Parameters& p, const std::string& name, int64_t width, int64_t heads)
    : qkv(p, name + ".qkv", width, 3 * width), out(p, name + ".out", width, width), heads(heads) {}

at::Tensor SelfAttention::operator()(const at::Tensor& x) const {
  const auto parts = qkv(x).chunk(3, -1);
  return out(attend(parts[0], parts[1], parts[2], heads));
}

CrossAttention::CrossAttention(Parameters& p, const std::string& name, int64_t width,
                               int64_t context_width, int64_t heads)
    : query(p, name + ".query", width, width),
      key_value(p, name + ".key_value", context_width, 2 * width),
      out(p, name + ".out", width, width),
      heads(heads) {}

at::Tensor CrossAttention::operator()(const at::Tensor& x, const at::Tensor& context) const {
  const auto parts = key_value(context).chunk(2, -1);
  return out(attend(query(x), parts[0], parts[1], heads));
}

Mlp::Mlp(Parameters& p, const std::string& name, int64_t width, int64_t times)
    : in(p, name + ".in", width, times * width), out(p, name + ".out", times * width, width) {}

at::Tensor Mlp::operator()(const at::Tensor& x) const { return out(gelu2(in(x))); }

ConvMlp::ConvMlp(Parameters& p, const std::string& name, int64_t channels, int64_t times,
                 int64_t grid_height, int64_t grid_width)
    : in(p, name + ".in", channels, times * channels, 3),
      out(p, name + ".out", times * channels, channels, 3),
      height(grid_height),
      width(grid_width) {}

at::Tensor ConvMlp::operator()(const at::Tensor& x) const {
  return convolve_rows(out, gelu2(convolve_rows(in, x, height, width)), height, width);
}

}  // namespace vq
