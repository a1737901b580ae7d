// Linear maps of single cells beside encoder and decoder: their principal components.
//
//   in    (B, 3, H, W) -> (B, D, h, w)    coefficients of each f x f cell
//   out   (B, D, h, w) -> (B, 3, H, W)    the cell that the coefficients stand for
//
// A codec with linear paths begins as the best linear code of single cells: distances between
// latent vectors are distances between pixels, so k-means finds a usable codebook before the first
// step, and the network only learns what the cells alone cannot say. The maps are buffers: found
// once, never trained.
//
// Law: out(in(x)) misses x by the sum of the eigenvalues left out, in the mean square.
// (linear_path_test.cc)
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "lib/weights/parameters.h"

namespace vq {

struct LinearPath {
  at::Tensor in_weight, in_bias;    // (D, 3*f*f), (D): "linear_in.weight", "linear_in.bias"
  at::Tensor out_weight, out_bias;  // (3*f*f, D), (3*f*f): "linear_out.weight", "linear_out.bias"
  int64_t factor;

  LinearPath(Parameters& p, int64_t factor, int64_t width);  // zeros
  at::Tensor in(const at::Tensor& images) const;
  at::Tensor out(const at::Tensor& vectors) const;
  // From enough images to know the cells; the coefficients' mean square becomes one.
  void start(const at::Tensor& images);
};

}  // namespace vq
