#include "lib/codec/linear_path.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>

#include "lib/codec/pixels.h"
#include "lib/codec/residual.h"

namespace vq {

LinearPath::LinearPath(Parameters& p, int64_t f, int64_t width) : factor(f) {
  const int64_t cell = 3 * f * f;
  in_weight = p.buffer("linear_in.weight", at::zeros({width, cell}));
  in_bias = p.buffer("linear_in.bias", at::zeros({width}));
  out_weight = p.buffer("linear_out.weight", at::zeros({cell, width}));
  out_bias = p.buffer("linear_out.bias", at::zeros({cell}));
}

at::Tensor LinearPath::in(const at::Tensor& images) const {
  return pointwise(fold_pixels(images, factor), in_weight, in_bias);
}

at::Tensor LinearPath::out(const at::Tensor& vectors) const {
  return unfold_pixels(pointwise(vectors, out_weight, out_bias), factor);
}

void LinearPath::start(const at::Tensor& images) {
  const at::NoGradGuard no_grad;
  const int64_t width = in_weight.size(0), cell = in_weight.size(1);
  auto rows = fold_pixels(images, factor).permute({0, 2, 3, 1}).reshape({-1, cell}).to(at::kDouble);
  auto mean = rows.mean(0);
  auto centred = rows - mean;
  auto [values, vectors] =
      at::linalg_eigh(centred.t().mm(centred) / static_cast<double>(rows.size(0)));
  // Largest first; with fewer dimensions than coefficients the rest stay zero.
  const int64_t kept = std::min(width, cell);
  auto first = vectors.flip({1}).narrow(1, 0, kept).t();
  first = at::constant_pad_nd(first, {0, 0, 0, width - kept});
  const double variance = values.flip({0}).narrow(0, 0, kept).sum().item<double>();
  const double scale = 1 / std::sqrt(variance / static_cast<double>(width) + 1e-12);
  in_weight.copy_(first * scale);
  in_bias.copy_(first.mv(mean) * -scale);
  out_weight.copy_(first.t() / scale);
  out_bias.copy_(mean);
}

}  // namespace vq
