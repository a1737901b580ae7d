// Whether pictures look real, and whether all real pictures have their like: precision and recall
// (Kynkäänniemi et al. 2019), density and coverage (Naeem et al. 2020).
//
//   real (N, D), fake (M, D)      feature vectors; distances are Euclidean
//   ball of x                     reaches to its k-th nearest neighbour of its own set
//
//   precision   share of fakes inside the ball of some real one
//   recall      share of real ones inside the ball of some fake
//   density     mean over fakes of the number of real balls around it, divided by k
//   coverage    share of real ones whose ball holds some fake
//
// Standard errors are those of a mean over the pictures counted, the other side taken as given.
// Laws: equal to brute force; independent of the block size.
//                                              (precision_recall_test.cc, tests/parity)
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace vq {

struct ShareWithError {
  double value = 0, error = 0;
};

struct PrecisionRecall {
  ShareWithError precision, recall, density, coverage;
};

// Throws vq::Error for sides of no more than k vectors, or different widths.
PrecisionRecall precision_recall(const at::Tensor& real, const at::Tensor& fake, int64_t k = 5);

// (A, B) squared distances of rows, double; not below nought.
at::Tensor squared_distances(const at::Tensor& a, const at::Tensor& b);

}  // namespace vq
