// Latent map -> picture: the encoder's mirror, nearest-neighbour doubling and a convolution between
// levels.
//
//   latent   (B, latent, h, w)
//   result   (B, 3, f*h, f*w)   about [-1, 1], not clamped
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "lib/codec/config.h"
#include "lib/codec/residual.h"
#include "lib/codec/upsample.h"

namespace vq {

class Decoder {
 public:
  // Tensors "decoder.conv_in.weight", "decoder.up.0.block.0.norm1.weight" (up.0 is the full
  // resolution), ...
  Decoder(Parameters& p, const CodecConfig& config);
  // Before running, and again whenever the weights change; training needs it not.
  void prepare(Precision precision = Precision::fp32);
  void to(at::Device device);  // what prepare() made
  at::Tensor operator()(const at::Tensor& latent) const;

 private:
  struct Level {
    std::vector<ResidualBlock> blocks;
    std::vector<AttentionBlock> attention;
    std::optional<Upsample> upsample;
  };
  int64_t patch_;
  Conv2d conv_in_;
  std::optional<Middle> mid_;
  std::vector<Level> up_;  // lowest resolution first
  std::optional<Norm> norm_out_;
  Conv2d conv_out_;
};

}  // namespace vq
