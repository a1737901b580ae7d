// How well pictures survive: peak signal to noise ratio of pairs of pictures.
//
//   bytes   (B, S, S, 3) uint8, both of a pair at one size
//
// In dB of a peak of 255, of each picture by itself, then the mean over pictures and its standard
// error. Equal pictures count as 100 dB. Laws: pairs are of one key; nothing is left over on either
// side.
//                                                                          (reconstruction_test.cc)
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "lib/codec/codec.h"
#include "lib/scoring/side.h"

namespace vq {

class Reconstruction {
 public:
  void add(const at::Tensor& bytes, const at::Tensor& others);
  int64_t count() const { return count_; }
  double mean() const;   // NaN of none
  double error() const;  // of the mean; NaN of fewer than two

 private:
  int64_t count_ = 0;
  double sum_ = 0, squares_ = 0;
};

// What the codec makes of pictures, rounded to bytes as in a file.
at::Tensor reconstruct(const Codec& codec, const at::Tensor& bytes);

// Lets the second side hand out its pictures in the first one's order, where both know their names.
// Throws vq::Error naming a picture that only one of them has.
void align(const Side& first, Side& second);
// Throws vq::Error unless two batches hold pictures of the same names, or as many without names.
void check_pairs(const SideBatch& first, const SideBatch& second, const std::string& first_name,
                 const std::string& second_name);

}  // namespace vq
