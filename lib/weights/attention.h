// Attention and the MLP beside it: what transformer layers are made of, here and in the text
// encoder.
//
//   self     (B, L, D) -> (B, L, D), every position sees every other
//   cross    (B, L, D), context (B, S, C) -> (B, L, D)
//   Mlp      (..., D) -> (..., D) by way of `times` D; activation x sigmoid(1.702 x), the released
//   models' GELU2
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

}  // namespace vq
