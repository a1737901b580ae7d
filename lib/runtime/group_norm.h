// Group normalisation of a channels-last map, picture by picture.
//
//   x       (B, C, H, W) fp32 or bf16, channels-last memory
//   weight, bias (C) fp32
//   result  like x: (x - mean) / sqrt(variance + epsilon) * weight + bias, the mean and variance of
//           each picture's C / groups channels over all positions
//
// LibTorch's own adds up large channels-last maps in as many parts as there are threads, and over
// planes it costs two copies between the convolutions' layout and its own.
// Law: a picture's result has the same bits for every batch and every number of threads; within
// rounding of group_norm_plain(). (group_norm_test.cc)
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace vq {

// Of at::group_norm where the kernel does not serve (other devices, types or layouts).
at::Tensor group_norm_map(const at::Tensor& x, int64_t groups, const at::Tensor& weight,
                          const at::Tensor& bias, double epsilon);
at::Tensor group_norm_plain(const at::Tensor& x, int64_t groups, const at::Tensor& weight,
                            const at::Tensor& bias, double epsilon);

}  // namespace vq
