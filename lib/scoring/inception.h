// Inception v3 in the form that FID is defined with: 2048 numbers a picture, and 1008 classes.
//
//   inputs     (B, 3, 299, 299)  float32, about [-1, 1]; scaling is the caller's (fid_input.h)
//   features   (B, 2048)         mean over the last 8 x 8 positions ("pool3")
//   logits     (B, 1008)         of features, without the bias, as the inception score takes them
//
// The network of Szegedy et al. 2016 as released for TensorFlow on 2015-12-05. It differs from
// the later releases: averages at the border leave the padding out, and the last module's pooling
// branch takes the maximum. Batch norms (eps 0.001) are folded into the convolutions; 1 x 1
// convolutions of one input are one product; a 1 x 1 convolution behind an average is done before
// it, which is the same and cheaper.
//
// Law: with weights given to pytorch-fid's class as well, features agree to rounding.
//                                              (inception_test.cc, tests/parity/scoring.sh)
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <functional>
#include <memory>
#include <string>

namespace vq {

class Inception {
 public:
  static constexpr int64_t kSize = 299, kFeatures = 2048, kClasses = 1008;

  // Gives the tensor of a name in pytorch-fid's layout ("Mixed_5b.branch1x1.conv.weight"), or
  // throws when it is not there or not of this shape. Asked for each tensor once, in a fixed order.
  using Source = std::function<at::Tensor(const std::string& name, at::IntArrayRef shape)>;
  explicit Inception(const Source& source);
  ~Inception();

  void to(at::Device device);
  at::Tensor features(const at::Tensor& inputs) const;
  at::Tensor logits(const at::Tensor& features) const;

 private:
  struct Layers;
  std::unique_ptr<Layers> layers_;
};

}  // namespace vq
