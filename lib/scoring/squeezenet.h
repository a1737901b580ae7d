// SqueezeNet 1.1, a small classifier of photographs whose hidden layer serves as image features.
//
//   images   (B, 3, 227, 227)    float in [-1, 1], RGB
//   hidden   (B, 512, 14, 14)    after the last fire module
//   logits   (B, 1000)           ImageNet classes; for checking that the weights are the right ones
//
// The published network (Iandola et al. 2016, version 1.1 of its authors' repository): a fire
// module squeezes to few channels by 1x1 convolutions, then expands by 1x1 and 3x3 side by side. It
// takes bytes in the order blue, green, red with the training set's mean added negatively; the file
// brings that mean ("input.bgr_mean_add").
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "lib/weights/layers.h"
#include "lib/weights/parameters.h"

namespace vq {

class SqueezeNet {
 public:
  static constexpr int64_t kSize = 227;

  SqueezeNet();
  at::Tensor hidden(const at::Tensor& images) const;
  at::Tensor logits(const at::Tensor& images) const;

  Parameters parameters;

 private:
  struct Fire {
    Conv2d squeeze, expand_1, expand_3;
    Fire(Parameters& p, const std::string& name, int64_t in, int64_t squeezed, int64_t expanded);
    at::Tensor operator()(const at::Tensor& x) const;
  };
  at::Tensor mean_add_;
  Conv2d conv1_;
  std::vector<Fire> fires_;  // fire2 .. fire9
  Conv2d conv10_;
};

}  // namespace vq
