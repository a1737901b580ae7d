// What lies around a product of 8-bit integers: rows rounded to them, and sums turned back.
//
//   round_rows   (N, D) bf16 -> values (N, D) int8, scale (N) fp32; row n is scale[n] * values[n]
//                within half of scale[n], which is the row's largest number / 127
//   scaled_sums  sums (N, M) int32 -> to (N, M) bf16 = sums[n][m] * row[n] * column[m] + bias[m],
//                or, with `swish`, z sigmoid(z) of that
//   product_of_rounded  both around LibTorch's product of 8-bit integers: x (N, D) bf16, weight
//                rows (M, D) -> (N, M) bf16. Of some rows at a time: the sums of all would take
//                twice the memory of the result.
//
// Each row has a scale of its own, so that it does not depend on the rows beside it. Laws: the
// kernels round as the plain twins do. (int8_test.cc)
#pragma once

#include <ATen/core/Tensor.h>

namespace vq {

struct RoundedRows {
  at::Tensor values, scale;
};

RoundedRows round_rows(const at::Tensor& x);
RoundedRows round_rows_plain(const at::Tensor& x);

void scaled_sums(const at::Tensor& sums, const at::Tensor& row, const at::Tensor& column,
                 const at::Tensor& bias, bool swish, at::Tensor& to);
at::Tensor scaled_sums_plain(const at::Tensor& sums, const at::Tensor& row,
                             const at::Tensor& column, const at::Tensor& bias, bool swish);

at::Tensor product_of_rounded(const at::Tensor& x, const RoundedRows& weight,
                              const at::Tensor& bias, bool swish);

}  // namespace vq
