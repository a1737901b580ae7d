// CLIP's image tower: pictures -> vectors of length one, beside which captions are laid.
//
//   inputs   (B, 3, S, S)   prepared by clip_input: S = 224 for ViT-B/32
//   result   (B, E)         E = 512; each divided by its L2 norm
//
// A vision transformer (Radford et al. 2021): patches by one convolution without bias, a class
// position in front, positions added, a layer norm, pre-norm layers of attention and an MLP with
// x sigmoid(1.702 x), a layer norm of the class position, a projection.
//
// Law: with weights given to Hugging Face's CLIPModel as well, vectors agree to rounding.
//                                                    (clip_image_test.cc, tests/parity)
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <vector>

#include "formats/image.h"

namespace vq {

struct ClipImageLayer {
  at::Tensor norm_1_weight, norm_1_bias, qkv_weight, qkv_bias, out_weight, out_bias;
  at::Tensor norm_2_weight, norm_2_bias, in_weight, in_bias, back_weight, back_bias;
};

struct ClipImage {
  at::Tensor patches;               // (W, 3, P, P)
  at::Tensor class_row, positions;  // (W), (1 + (S / P)^2, W)
  at::Tensor before_weight, before_bias, after_weight, after_bias;
  std::vector<ClipImageLayer> layers;
  at::Tensor projection;  // (W, E)
  int64_t heads = 12;

  int64_t size() const;  // S
  void to(at::Device device);
  at::Tensor operator()(const at::Tensor& inputs) const;
};

// The short side becomes S by bicubic resampling of bytes, the middle is kept, and each colour is
// scaled by CLIP's mean and deviation: (3, S, S).
at::Tensor clip_input(const Image& picture, int64_t size);

}  // namespace vq
