// A small classifier of pictures whose last hidden layer serves as image features: what is trained
// by `vq-train features` where FID's network is not at hand.
//
//   images     (B, 3, S, S)   float in [-1, 1]
//   features   (B, D)         mean over the last positions
//   logits     (B, classes)   of features
//
// Convolutions of 3 x 3, group norm and ReLU; two of them a level, and each level after the first
// has half the resolution and twice the channels, up to D.
//
// Law: a picture's features do not depend on its batch but for rounding. (small_classifier_test.cc)
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "formats/json.h"
#include "lib/weights/layers.h"
#include "lib/weights/parameters.h"

namespace vq {

inline constexpr const char* kSmallClassifier = "small-classifier";

struct SmallClassifierConfig {
  int64_t image_size = 64;  // a multiple of 2^(levels - 1)
  int64_t channels = 32;    // of the first level, a multiple of 8
  int64_t levels = 4;
  std::vector<std::string> classes;  // names, by label; two at least

  int64_t width() const { return channels << (levels - 1); }  // D
  Json to_json() const;                                       // with "architecture"
  // Throws vq::Error at `where`: members missing, sizes that do not fit each other.
  static SmallClassifierConfig from_json(const Json& json, const std::string& where);
  void check(const std::string& where) const;
};

class SmallClassifier {
 public:
  SmallClassifier(const SmallClassifierConfig& config, uint64_t seed);

  at::Tensor features(const at::Tensor& images) const;
  at::Tensor logits(const at::Tensor& features) const;

  SmallClassifierConfig config;
  Parameters parameters;

 private:
  struct Level {
    Conv2d first, second;
    GroupNorm first_norm, second_norm;
  };
  std::vector<Level> levels_;
  Linear head_;
};

}  // namespace vq
