// Numbers rounded into memory that is there already, as weights are made ready for sampling:
// LibTorch has this in two passes and fresh memory for each.
//
//   round_bf16   to[i] = bf16(from[i] * factor), rounded to the nearest; from is fp32, `to` is
//                contiguous and of its shape
//
// Law: the kernel rounds as the plain twin does, but for numbers below 2^-126, which become zero.
// (round_bf16_test.cc)
#pragma once

#include <ATen/core/Tensor.h>

namespace vq {

void round_bf16(const at::Tensor& from, double factor, at::Tensor& to);
void round_bf16_plain(const at::Tensor& from, double factor, at::Tensor& to);

}  // namespace vq
