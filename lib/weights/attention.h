// Attention and the MLP beside it: what transformer layers are made of, here and in the text
// encoder.
//
//   self     (B, L, D) -> (B, L, D), every position sees every other
//   cross    (B, L, D), context (B, S, C) -> (B, L, D)
//   Mlp      (..., D) -> (..., D) by way of `times` D; activation x sigmoid(1.702 x), the released
//   models' GELU2
//   ConvMlp  (B, L, D) -> (B, L, D): the same with 3x3 convolutions over a grid of L = height *
//   width
//
// Heads are contiguous slices of the width; scores are scaled by 1 / sqrt(D / heads).
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "lib/weights/layers.h"

namespace vq {

struct SelfAttention {
  Linear qkv, out;
  int64_t heads = 1;
  SelfAttention() = default;
  SelfAttention(Parameters& p, const std::string& name, int64_t width, int64_t heads);
  at::Tensor operator()(const at::Tensor& x) const;
};

struct CrossAttention {
  Linear query, key_value, out;
  int64_t heads = 1;
  CrossAttention() = default;
  CrossAttention(Parameters& p, const std::string& name, int64_t width, int64_t context_width,
                 int64_t heads);
  at::Tensor operator()(const at::Tensor& x, const at::Tensor& context) const;
};

struct Mlp {
  Linear in, out;
  Mlp() = default;
  Mlp(Parameters& p, const std::string& name, int64_t width, int64_t times);
  at::Tensor operator()(const at::Tensor& x) const;
};

// Outside training a row's result does not depend on the batch: the convolutions are then products
// of patches.
struct ConvMlp {
  Conv2d in, out;
  int64_t height = 1, width = 1;  // of the grid
  ConvMlp() = default;
  ConvMlp(Parameters& p, const std::string& name, int64_t channels, int64_t times,
          int64_t grid_height, int64_t grid_width);
  at::Tensor operator()(const at::Tensor& x) const;
};

}  // namespace vq
