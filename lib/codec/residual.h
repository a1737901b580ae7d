// The pieces encoder and decoder share: residual block, attention over positions, 1x1 convolution.
//
//   all take and give (B, C, H, W), in channels-last memory where the input is
//
// Names of tensors are those of the released codecs (norm1, conv1, norm2, conv2, nin_shortcut;
// norm, q, k, v, proj_out).
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <string>

#include "lib/weights/layers.h"
#include "lib/weights/parameters.h"

namespace vq {

// A 1x1 convolution computed as one product over all positions. LibTorch's own chooses between two
// libraries by batch size and threads, which round differently; a product of at least sixteen rows
// does not.
at::Tensor pointwise(const at::Tensor& x, const at::Tensor& weight,
                     const at::Tensor& bias);  // weight (out, in)

struct Pointwise {
  Conv2d conv;  // weight (out, in, 1, 1)
  Pointwise() = default;
  Pointwise(Parameters& p, const std::string& name, int64_t in, int64_t out);
  at::Tensor operator()(const at::Tensor& x) const;
};

// GroupNorm, or nothing where groups is 0. Outside training its result for a picture does not
// depend on the batch or the threads (runtime/group_norm).
struct Norm {
  std::optional<GroupNorm> norm;
  Norm(Parameters& p, const std::string& name, int64_t channels, int64_t groups);
  at::Tensor operator()(const at::Tensor& x) const;
  at::Tensor activated(const at::Tensor& x) const;  // y sigmoid(y) of that

 private:
  at::Tensor apply(const at::Tensor& x, bool activated) const;
};

struct ResidualBlock {
  Norm norm1, norm2;
  Conv2d conv1, conv2;
  std::optional<Pointwise> shortcut;  // where the channels change
  ResidualBlock(Parameters& p, const std::string& name, int64_t in, int64_t out, int64_t groups);
  at::Tensor operator()(const at::Tensor& x) const;
};

// One head over all positions of a picture.
struct AttentionBlock {
  Norm norm;
  Pointwise q, k, v, proj_out;
  AttentionBlock(Parameters& p, const std::string& name, int64_t channels, int64_t groups);
  at::Tensor operator()(const at::Tensor& x) const;
};

// block_1, attn_1, block_2, each optional.
struct Middle {
  std::optional<ResidualBlock> block_1, block_2;
  std::optional<AttentionBlock> attn_1;
  Middle(Parameters& p, const std::string& name, int64_t channels, int64_t groups, int64_t blocks,
         bool attention);
  at::Tensor operator()(at::Tensor x) const;
};

}  // namespace vq
