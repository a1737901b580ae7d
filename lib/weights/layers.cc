#include "lib/weights/layers.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>
#include <vector>

namespace vq {
namespace {

// From this many rows on the matrix library rounds a row the same way however many there are.
// Measured for MKL 2024.2 in fp32: rows differ up to 11 (tests/unit/layers_test.cc keeps watch).
constexpr int64_t kSafeRows = 16;

}  // namespace

Linear::Linear(Parameters& p, const std::string& name, int64_t in, int64_t out, double std)
    : weight(p.normal(name + ".weight", {out, in}, std)),
      bias(p.constant(name + ".bias", {out}, 0)) {}

at::Tensor Linear::operator()(const at::Tensor& x) const {
  const int64_t in = x.size(-1);
  if (x.numel() >= kSafeRows * in) return at::linear(x, weight, bias);
  std::vector<int64_t> shape = x.sizes().vec();
  shape.back() = weight.size(0);
  return rows_padded(x.reshape({-1, in})).view(shape);
}

at::Tensor Linear::rows_padded(const at::Tensor& x) const {
  const int64_t rows = x.size(0);
  if (rows >= kSafeRows) return at::linear(x, weight, bias);
  const at::Tensor padded = at::constant_pad_nd(x, {0, 0, 0, kSafeRows - rows});
  return at::linear(padded, weight, bias).narrow(0, 0, rows);
}

Embedding::Embedding(Parameters& p, const std::string& name, int64_t rows, int64_t width,
                     double std)
    : weight(p.normal(name + ".weight", {rows, width}, std)) {}

at::Tensor Embedding::operator()(const at::Tensor& index) const {
  return at::embedding(weight, index);
}

LayerNorm::LayerNorm(Parameters& p, const std::string& name, int64_t width)
    : weight(p.constant(name + ".weight", {width}, 1)),
      bias(p.constant(name + ".bias", {width}, 0)) {}

at::Tensor LayerNorm::operator()(const at::Tensor& x) const {
  return at::layer_norm(x, {weight.size(0)}, weight, bias, 1e-5);
}

GroupNorm::GroupNorm(Parameters& p, const std::string& name, int64_t channels, int64_t groups)
    : weight(p.constant(name + ".weight", {channels}, 1)),
      bias(p.constant(name + ".bias", {channels}, 0)),
      groups(groups) {}

at::Tensor GroupNorm::operator()(const at::Tensor& x) const {
  return at::group_norm(x, groups, weight, bias, kGroupNormEpsilon);
}

Conv2d::Conv2d(Parameters& p, const std::string& name, int64_t in, int64_t out, int64_t kernel,
               int64_t stride, int64_t padding)
    : stride(stride), padding(padding < 0 ? kernel / 2 : padding) {
  const double bound = 1 / std::sqrt(static_cast<double>(in * kernel * kernel));
  weight = p.uniform(name + ".weight", {out, in, kernel, kernel}, bound);
  bias = p.uniform(name + ".bias", {out}, bound);
}

at::Tensor convolve(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                    int64_t stride, int64_t padding) {
  // LibTorch convolves a single map of at most so many numbers with another library than two of
  // them, which rounds differently.
  constexpr int64_t kSmallMap = 20480;
  if (x.is_cpu() && x.size(0) == 1 && x.numel() <= kSmallMap && !at::GradMode::is_enabled()) {
    const at::Tensor two = at::cat({x, x});
    return at::conv2d(two, weight, bias, stride, padding).narrow(0, 0, 1);
  }
  return at::conv2d(x, weight, bias, stride, padding);
}

at::Tensor Conv2d::operator()(const at::Tensor& x) const {
  return convolve(x, weight, bias, stride, padding);
}

}  // namespace vq
