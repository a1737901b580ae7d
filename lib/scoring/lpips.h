// LPIPS: how different two pictures look, by the hidden layers of a classifier (Zhang et al. 2018).
//
//   bytes    (B, S, S, 3) uint8, both of a pair at one size, at least 32 x 32
//   result   (B) double; 0 is the same, about 0.5 is another picture
//
// At five layers of AlexNet or VGG-16, or seven of SqueezeNet 1.1, each position's channels are
// brought to length 1, their squared differences are weighed by a head learned from what people
// say, and the mean over positions is taken; the result is the sum over the layers. The file holds
// network and heads in the names of `lpips.LPIPS(net=...).state_dict()`, version 0.1; which of the
// three it is shows in its tensors. No such file is part of this toolkit.
//
// Laws: equal pictures are at distance 0; the distance is the same both ways; every tensor of the
// network is there, and no other; equal to the Python package (tests/parity).      (lpips_test.cc)
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <functional>
#include <string>
#include <vector>

#include "lib/weights/tensor_book.h"

namespace vq {

class Lpips {
 public:
  static constexpr int64_t kSmallest = 32;

  // Throws vq::Error: tensors missing, of other shapes or of another network.
  Lpips(TensorBook book, at::Device device);

  // Throws vq::Error for pictures that are too small.
  at::Tensor operator()(const at::Tensor& bytes, const at::Tensor& others) const;

  const std::string& name() const { return name_; }          // "lpips alex", "lpips vgg", ...
  const std::string& identity() const { return identity_; }  // sha256 of the numbers by name

 private:
  at::Tensor scaled(const at::Tensor& bytes) const;

  std::string name_, identity_;
  at::Device device_;
  at::Tensor shift_, scale_;       // of the picture's colours, (1, 3, 1, 1)
  std::vector<at::Tensor> heads_;  // (1, C, 1, 1) each
  // Between one head and the next: layers, one after the other.
  std::vector<std::vector<std::function<at::Tensor(const at::Tensor&)>>> slices_;
};

}  // namespace vq
