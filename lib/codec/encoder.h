// Picture -> latent map: convolutions that halve the resolution level by level.
//
//   images   (B, 3, H, W)            in [-1, 1]; H and W multiples of f
//   hidden   (B, C_last, H/f, W/f)   what the last level knows; serves as image features too
//   result   (B, latent, H/f, W/f)
//
// Law: a picture's result does not depend on what else is in the batch. (encoder_test.cc)
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "lib/codec/config.h"
#include "lib/codec/residual.h"

namespace vq {

class Encoder {
 public:
  // Tensors "encoder.conv_in.weight", "encoder.down.0.block.0.norm1.weight", ...
  Encoder(Parameters& p, const CodecConfig& config);
  at::Tensor hidden(const at::Tensor& images) const;
  at::Tensor operator()(const at::Tensor& images) const;

 private:
  struct Level {
    std::vector<ResidualBlock> blocks;
    std::vector<AttentionBlock> attention;  // one a block, or none
    std::optional<Conv2d> downsample;
  };
  int64_t patch_;
  Conv2d conv_in_;
  std::vector<Level> down_;
  std::optional<Middle> mid_;
  std::optional<Norm> norm_out_;
  Conv2d conv_out_;
};

}  // namespace vq
