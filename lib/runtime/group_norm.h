// Group normalisation of a channels-last map, picture by picture.
//
//   x       (B, C, H, W) fp32 or bf16, channels-last memory
//   weight, bias (C) fp32
//   result  like x: (x - mean) / sqrt(variance + epsilon) * weight + bias, the mean and variance of
//           each picture's C / groups channels over all positions; activated: y sigmoid(y) of that,
//           which saves reading and writing the map once more
//
// LibTorch's own adds up large channels-last maps in as many parts as there are threads, and over
// planes it costs two copies between the convolutions' layout and its own.
// Law: a picture's result has the same bits for every batch and every number of threads; within
// rounding of group_norm_plain(). (group_norm_test.cc)
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace vq {

struct GroupNormOptions {
  int64_t groups = 32;
  double epsilon = 1e-6;
  bool activated = false;
};

at::Tensor group_norm_map(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                          const GroupNormOptions& options);
// By LibTorch's functions, which also serve where the kernel does not: other devices, types,
// layouts.
at::Tensor group_norm_plain(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                            const GroupNormOptions& options);

}  // namespace vq
