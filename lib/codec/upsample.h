// Nearest-neighbour doubling and a 3x3 convolution after it, as one step.
//
//   x        (B, in, H, W)
//   result   (B, out, 2H, 2W)
//
// Of the nine doubled pixels under the kernel only four are different, and which ones depends on
// the corner of the cell alone: four 2x2 convolutions of x itself, with sums of the kernel's
// weights, give the same in 4/9 of the products. They are made by prepare(), for running; without
// it, and in training, it is computed as it is said.
// Law: the two ways agree within rounding. (upsample_test.cc)
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "lib/runtime/device.h"
#include "lib/weights/layers.h"
#include "lib/weights/parameters.h"

namespace vq {

struct Upsample {
  Conv2d conv;
  std::vector<at::Tensor> corners;  // (out, in, 2, 2) of [0][0], [0][1], [1][0], [1][1], or none

  Upsample() = default;
  Upsample(Parameters& p, const std::string& name, int64_t in, int64_t out);
  // Again whenever the weights change. The sums are made in fp32 and then rounded.
  void prepare(Precision precision = Precision::fp32);
  void to(at::Device device);  // what prepare() made
  at::Tensor operator()(const at::Tensor& x) const;
};

}  // namespace vq
