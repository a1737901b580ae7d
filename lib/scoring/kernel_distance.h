// How far apart two sets of feature vectors are by a kernel: the squared maximum mean discrepancy,
// known as KID where the features are FID's.
//
//   real (N, D), fake (M, D)
//   k(x, y) = (x . y / D + 1)^3
//   value     mean over subsets of  mean k(x, x') + mean k(y, y') - 2 mean k(x, y),  x' and y'
//             being others than x and y: unbiased, and so sometimes a little negative
//             (Binkowski et al. 2018)
//
// Subsets are drawn without repetition from what was kept of each side, `subset` of each; with
// fewer pictures all of them. The deviation is that of the subsets' values, which papers print. The
// standard error is that of the value for N and M: from how much each vector moves the value,
// averaged over subsets.
//
// Laws: with one subset of everything it is the formula; its mean over sets of one distribution is
// nought.                                          (kernel_distance_test.cc, tests/parity)
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace vq {

struct KernelDistanceOptions {
  int64_t subsets = 100, subset = 1000;
  uint64_t seed = 0;
};

struct KernelDistance {
  double value = 0, error = 0, deviation = 0;
  int64_t subsets = 0, subset = 0;  // as they were
};

// Throws vq::Error for fewer than two vectors, or different widths.
KernelDistance kernel_distance(const at::Tensor& real, const at::Tensor& fake,
                               const KernelDistanceOptions& options = {});

}  // namespace vq
