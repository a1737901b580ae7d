#include "lib/condition/text_encoder.h"

#include <ATen/ATen.h>

namespace vq {

TextEncoder::TextEncoder(Parameters& p, const std::string& name, const TextEncoderConfig& c)
    : token_(p, name + ".embedding.token", c.vocabulary, c.width),
      position_(p, name + ".embedding.position", c.length, c.width),
      norm_(p, name + ".norm", c.width) {
  for (int64_t i = 0; i < c.layers; ++i) {
    const std::string layer = name + ".layers." + std::to_string(i);
    layers_.push_back(
        {LayerNorm(p, layer + ".norm_self", c.width), LayerNorm(p, layer + ".norm_mlp", c.width),
         SelfAttention(p, layer + ".self", c.width, c.heads), Mlp(p, layer + ".mlp", c.width, 4)});
  }
}

at::Tensor TextEncoder::operator()(const at::Tensor& ids) const {
  at::Tensor x = token_(ids) + position_.weight;
  for (const Layer& layer : layers_) {
    x = x + layer.self(layer.norm_self(x));
    x = x + layer.mlp(layer.norm_mlp(x));
  }
  return norm_(x);
}

}  // namespace vq
