// A picture -> what a network sees in it: vectors whose distribution is compared instead of pixels.
//
//   picture  8-bit RGB; prepare() makes of it what the network takes
//   inputs   (B, 3, H, W)   float, from prepare(); most networks also take [-1, 1] of any size, and
//                           resample it bicubically with antialiasing
//   result   (B, D)         float32 on the CPU
//   logits   (B, classes)   of result; undefined where the network knows no classes
//
// Four kinds of network: FID's Inception v3 (inception_file.h), any TorchScript
// (script_network.h), a codec's encoder, and a feature
// network in a file of ours (kind "features"), of which "small-classifier" (vq-train features) and
// "squeezenet1.1" are known. Numbers taken
// with different networks are not comparable, nor with different preparations, so both go into the
// result.
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

#include "formats/image.h"
#include "lib/codec/codec.h"
#include "lib/scoring/fid_input.h"

namespace vq {

class FeatureNetwork {
 public:
  virtual ~FeatureNetwork() = default;
  virtual at::Tensor operator()(const at::Tensor& inputs) const = 0;
  virtual at::Tensor logits(const at::Tensor&) const { return {}; }
  virtual int64_t size() const = 0;      // pixels a side that it looks at
  virtual std::string name() const = 0;  // "squeezenet1.1", with what is taken and how it is pooled
  virtual std::string identity() const = 0;  // sha256 of what was loaded

  // (3, H, W) of one picture; may be called by several threads at once. Networks that do not fit
  // pictures themselves are given square ones.
  virtual at::Tensor prepare(const Image& picture) const;
  virtual bool fits_pictures() const { return false; }
  // Whether this is the network that papers' numbers are taken with. Others give numbers of the
  // same kind that are comparable among themselves only.
  virtual bool standard() const { return false; }
  // How, in a few words; empty where the picture's own options say it.
  virtual std::string preprocessing() const { return {}; }
};

std::unique_ptr<FeatureNetwork> codec_features(std::shared_ptr<const Codec> codec);

// What some kinds of network want to be told.
enum class InputRange { signed_unit, unit, bytes };
struct FeatureOptions {
  FidMode mode = FidMode::clean;               // of FID's network
  InputRange range = InputRange::signed_unit;  // of TorchScript
};

// By what the file is. Throws vq::Error naming what is needed.
std::unique_ptr<FeatureNetwork> load_features(const std::string& path, at::Device device,
                                              const FeatureOptions& options = {});

// (B, 3, H, W) -> (B, 3, size, size), clamped to [-1, 1]; untouched where it has that size.
at::Tensor resize_images(const at::Tensor& images, int64_t size);

// (B, C, h, w) -> (B, 5 C): means of the four quarters, then the deviation over all positions.
at::Tensor pool_quarters(const at::Tensor& map);

}  // namespace vq
