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
// weights, eps 1e-5. The MLP's activation is x sigmoid(1.702 x), the released models' GELU2. The
// released 16 x 16 models have 3x3 convolutions over the grid in their MLP; in the first of them
// the null class has no row of its own and is the mean of the table.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <string>

#include "lib/condition/condition.h"
#include "lib/weights/attention.h"
#include "lib/weights/layers.h"

namespace vq {

struct AdaLayerNorm {
  Embedding table;           // (rows, D)
  Linear linear;             // D -> 2 D: scale, then shift
  bool mean_beyond = false;  // a number beyond the last row means the mean of all rows
  AdaLayerNorm() = default;
  AdaLayerNorm(Parameters& p, const std::string& name, int64_t rows, int64_t width);
  at::Tensor operator()(const at::Tensor& x, const at::Tensor& row) const;
  at::Tensor vectors(const at::Tensor& row) const;  // (R) -> (R, 2 D) scale and shift

 private:
  at::Tensor row_of_table(const at::Tensor& row) const;
};

struct BlockSizes {
  int64_t width, heads, mlp_times, timesteps;
  ConditionKind condition;
  int64_t context_width;      // caption
  int64_t label_rows;         // label: rows of the table
  bool mean_label = false;    // label: the null has no row and is the mean of the others
  bool convolutions = false;  // in the MLP, over a grid of this size
  int64_t grid_height = 0, grid_width = 0;
};

struct Block {
  AdaLayerNorm norm_self, norm_cross, norm_label;
  LayerNorm norm_mlp;
  SelfAttention self;
  CrossAttention cross;
  Mlp mlp;
  std::optional<ConvMlp> conv_mlp;  // in its place
  ConditionKind condition = ConditionKind::none;

  Block(Parameters& p, const std::string& name, const BlockSizes& sizes);
  // context is undefined without a caption, label undefined without a class.
  at::Tensor operator()(at::Tensor x, const at::Tensor& row, const at::Tensor& context,
                        const at::Tensor& label) const;
};

}  // namespace vq
