// A picture -> what a network sees in it: vectors whose distribution is compared instead of pixels.
//
//   images   (B, 3, H, W)   float in [-1, 1], of any size; brought to the network's own by bicubic
//                           resampling with antialiasing
//   result   (B, D)         float32 on the CPU
//
// Two kinds of network: a codec's encoder, and a feature network in a file of ours (kind
// "features"), of which "squeezenet1.1" is known. Numbers taken with different networks are not
// comparable, so every network has an identity that goes into the result.
//
// Of a codec the latent vectors (D', h, w) are taken, before quantisation: their mean over each
// quarter of the picture, which keeps the coarse layout, and their deviation over the whole, which
// keeps texture: D = 5 D'. Of six ways to pool latent vectors or the encoder's last hidden layer
// this one told displaced, patched, blurred and noisy pictures best from real ones, being narrow:
// the bias of the distance grows with D.
//
// Law: a picture's vector does not depend on the rest of its batch but for rounding.
//                                                                             (features_test.cc)
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <memory>
#include <string>

#include "lib/codec/codec.h"

namespace vq {

class FeatureNetwork {
 public:
  virtual ~FeatureNetwork() = default;
  virtual at::Tensor operator()(const at::Tensor& images) const = 0;
  virtual int64_t size() const = 0;      // pixels a side that it looks at
  virtual std::string name() const = 0;  // "squeezenet1.1", with what is taken and how it is pooled
  virtual std::string identity() const = 0;  // sha256 of what was loaded
};

std::unique_ptr<FeatureNetwork> codec_features(std::shared_ptr<const Codec> codec);

// By the kind that the file says it is. Throws vq::Error naming what is needed.
std::unique_ptr<FeatureNetwork> load_features(const std::string& path, at::Device device);

// (B, 3, H, W) -> (B, 3, size, size), clamped to [-1, 1]; untouched where it has that size.
at::Tensor resize_images(const at::Tensor& images, int64_t size);

// (B, C, h, w) -> (B, 5 C): means of the four quarters, then the deviation over all positions.
at::Tensor pool_quarters(const at::Tensor& map);

}  // namespace vq
