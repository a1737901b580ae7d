// The steps between two matrix products of a transformer layer in one pass over memory: what the
// last product gave is added to x, and the sum is normalised and scaled for the next one.
//
//   x       (N, D) fp32, changes: x += delta
//   delta   (N, D) bf16, or undefined: nothing is added
//   gain, shift (G, D) fp32: rows first[g] .. first[g + 1] - 1 of x take row g of them
//   result  (N, D) bf16 = (x - mean) / sqrt(variance + 1e-5) * gain + shift, row by row
//
// Adaptive norms give one gain and shift a batch item (1 + scale, shift), plain ones one for all.
// Law: within bf16's rounding of add_norm_plain(); a row depends on that row alone.
// (norm_bf16_test.cc)
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace vq {

struct NormScale {
  at::Tensor gain, shift;
  std::vector<int64_t> first;
};

at::Tensor add_norm_bf16(at::Tensor& x, const at::Tensor& delta, const NormScale& scale);
// The same by LibTorch's functions, for any device.
at::Tensor add_norm_plain(at::Tensor& x, const at::Tensor& delta, const NormScale& scale);

}  // namespace vq
