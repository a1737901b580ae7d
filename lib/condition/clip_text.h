// CLIP's text tower: token ids (B, S) -> features (B, S, C) of length one, what the released
// VQ-Diffusion models listen to.
//
// Token and position embeddings, then pre-norm layers of causal self-attention (a position sees
// itself and those before) and an MLP with x sigmoid(1.702 x), then a layer norm, all for every
// position; padding is a token like any other. No projection. Then each position is divided by its
// own L2 norm. (The "ViT-B/32" of Radford et al. 2021: 12 layers, width 512, 8 heads, inner width
// 2048, 49408 ids, 77 positions.)
//
//   precision fp32   32-bit arithmetic on the weights as they are, as in Hugging Face diffusers
//   precision fp16   as the released code computes on a GPU: weights of linear layers, and what
//                    every operation leaves, rounded to 16 bits; sums and layer norms in 32
//
// Frozen: all of it are buffers (weights/parameters.h), no gradient passes, and a bf16 scope does
// not reach inside. A fresh tower is blank, its features not numbers: weights come from elsewhere.
//
// Tensors under `name`, with W width, I inner, V vocabulary, S length:
//   .embedding.token.weight (V, W)         .embedding.position.weight (S, W)
//   .layers.N.norm_self.weight .bias (W)   .layers.N.norm_mlp.weight .bias (W)
//   .layers.N.self.qkv.weight (3 W, W) .bias (3 W)   query, key, value one after the other
//   .layers.N.self.out.weight (W, W) .bias (W)
//   .layers.N.mlp.in.weight (I, W) .bias (I)         .layers.N.mlp.out.weight (W, I) .bias (W)
//   .norm.weight .bias (W)
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "formats/json.h"
#include "lib/weights/layers.h"

namespace vq {

enum class ClipPrecision { fp32, fp16 };

struct ClipTextConfig {
  int64_t layers = 12, width = 512, heads = 8, inner = 2048, vocabulary = 49408, length = 77;
  ClipPrecision precision = ClipPrecision::fp32;

  // Writes these members into a JSON object, and reads them; throws vq::Error (missing member, a
  // size that is no size, a width that the heads do not divide).
  void to_json(Json& json) const;
  static ClipTextConfig from_json(const Json& json, const std::string& where);
};

class ClipText {
 public:
  ClipText() = default;
  ClipText(Parameters& parameters, const std::string& name, const ClipTextConfig& config);

  // ids (B, S) int64 -> the last layer norm's output, and the same divided by its norms.
  at::Tensor hidden(const at::Tensor& ids) const;
  at::Tensor operator()(const at::Tensor& ids) const;

 private:
  struct Layer {
    LayerNorm norm_self, norm_mlp;
    Linear qkv, out, mlp_in, mlp_out;
  };
  at::Tensor rounded(const at::Tensor& x) const;
  at::Tensor linear(const Linear& layer, const at::Tensor& x) const;
  at::Tensor attend(const Layer& layer, const at::Tensor& x) const;
  at::Tensor mlp(const Layer& layer, const at::Tensor& x) const;

  ClipTextConfig config_;
  Embedding token_, position_;
  std::vector<Layer> layers_;
  LayerNorm norm_;
};

}  // namespace vq
