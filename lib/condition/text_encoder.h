// Token ids of a caption -> features, (B, S) -> (B, S, C): a small transformer encoder trained with
// the denoiser.
//
// Pre-norm layers of self-attention (every position sees every other) and an MLP, then a layer
// norm. Padding is a token like any other, so a caption's features depend on the caption alone and
// not on its neighbours in the batch.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "lib/weights/attention.h"
#include "lib/weights/layers.h"

namespace vq {

struct TextEncoderConfig {
  int64_t layers = 2, width = 128, heads = 4, vocabulary = 0, length = 24;
};

class TextEncoder {
 public:
  TextEncoder() = default;
  TextEncoder(Parameters& parameters, const std::string& name, const TextEncoderConfig& config);
  at::Tensor operator()(const at::Tensor& ids) const;

 private:
  struct Layer {
    LayerNorm norm_self, norm_mlp;
    SelfAttention self;
    Mlp mlp;
  };
  Embedding token_, position_;
  std::vector<Layer> layers_;
  LayerNorm norm_;
};

}  // namespace vq
