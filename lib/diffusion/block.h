// One layer of the denoiser: attention among the tokens, attention to the caption, and an MLP
// (facts of the released networks; names of tensors in brackets).
//
//   caption   x += attention(AdaLN_t(x));  x += cross(AdaLN_t(x), context);  x += mlp(LN(x))
//   class     x += attention(AdaLN_t(x));  x += mlp(AdaLN_class(x))
//   none      x += attention(AdaLN_t(x));  x += mlp(LN(x))
//
//   x        (B, L, D)     context (B, S, C)     t, label (B) rows of their tables
//
// AdaLN_i(x) = LN(x) (1 + scale) + shift with (scale, shift) = Linear(SiLU(table[i])); LN without
// weights, eps 1e-5. The MLP's activation is x sigmoid(1.702 x), the released models' GELU2.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "lib/condition/condition.h"
#include "lib/weights/attention.h"
#include "lib/weights/layers.h"

namespace vq {

struct AdaLayerNorm {
  Embedding table;  // (rows, D)
  Linear linear;    // D -> 2 D: scale, then shift
  AdaLayerNorm() = default;
  AdaLayerNorm(Parameters& p, const std::string& name, int64_t rows, int64_t width);
  at::Tensor operator()(const at::Tensor& x, const at::Tensor& row) const;
  at::Tensor vectors(const at::Tensor& row) const;  // (R) -> (R, 2 D) scale and shift
};

struct BlockSizes {
  int64_t width, heads, mlp_times, timesteps;
  ConditionKind condition;
  int64_t context_width;  // caption
  int64_t label_rows;     // label: classes, and one more for the null
};

struct Block {
  AdaLayerNorm norm_self, norm_cross, norm_label;
  LayerNorm norm_mlp;
  SelfAttention self;
  CrossAttention cross;
  Mlp mlp;
  ConditionKind condition = ConditionKind::none;

  Block(Parameters& p, const std::string& name, const BlockSizes& sizes);
  // context is undefined without a caption, label undefined without a class.
  at::Tensor operator()(at::Tensor x, const at::Tensor& row, const at::Tensor& context,
                        const at::Tensor& label) const;
};

}  // namespace vq
