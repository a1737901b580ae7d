// How well pictures survive: peak signal to noise ratio and structural similarity of pairs.
//
//   bytes   (B, S, S, 3) uint8, both of a pair at one size
//   psnr    (B) in dB of a peak of 255; equal pictures count as 100 dB
//   ssim    (B) from -1 to 1: Gaussian windows of 11 x 11 with deviation 1.5 that lie wholly
//   inside,
//           K1 = 0.01, K2 = 0.03, population variances, each colour by itself, then the mean (Wang
//           et al. 2004; scikit-image's with those settings). NaN for sides below 11
//
// Each of a picture by itself, then the mean over pictures and its standard error. Laws: equal
// pictures have ssim 1; ssim is that of scikit-image to rounding (tests/parity); pairs are of one
// key; nothing is left over on either side.
//                                                                          (reconstruction_test.cc)
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "lib/codec/codec.h"
#include "lib/scoring/side.h"

namespace vq {

class Reconstruction {
 public:
  struct Running {  // mean and its standard error
    int64_t count = 0;
    double sum = 0, squares = 0;
    void add(const at::Tensor& values);
    double mean() const;   // NaN of none
    double error() const;  // NaN of fewer than two
  };

  void add(const at::Tensor& bytes, const at::Tensor& others);
  int64_t count() const { return psnr_.count; }
  double mean() const { return psnr_.mean(); }    // NaN of none
  double error() const { return psnr_.error(); }  // of the mean; NaN of fewer than two
  double ssim() const { return ssim_.mean(); }
  double ssim_error() const { return ssim_.error(); }

 private:
  Running psnr_, ssim_;
};

// (B, S, S, 3) uint8 twice -> (B) double.
at::Tensor ssim(const at::Tensor& bytes, const at::Tensor& others);

// What the codec makes of pictures, rounded to bytes as in a file.
at::Tensor reconstruct(const Codec& codec, const at::Tensor& bytes);

// Lets the second side hand out its pictures in the first one's order, where both know their names.
// Throws vq::Error naming a picture that only one of them has.
void align(const Side& first, Side& second);
// Throws vq::Error unless two batches hold pictures of the same names, or as many without names.
void check_pairs(const SideBatch& first, const SideBatch& second, const std::string& first_name,
                 const std::string& second_name);

}  // namespace vq
