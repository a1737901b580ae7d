// How far apart two sets of feature vectors are, each seen as a Gaussian: the Frechet distance.
//
//   features   (B, D)   one row a picture
//   mean (D), covariance (D, D)   float64, unbiased (N - 1)
//
//   d^2 = |m1 - m2|^2 + Tr(C1 + C2 - 2 (C1 C2)^(1/2))
//         (Dowson & Landau, J. Multivariate Analysis 1982; on network features: Heusel et al. 2017)
//
// The root is taken of the symmetric C1^(1/2) C2 C1^(1/2), which has the same trace and real
// eigenvalues, so it also works with fewer pictures than dimensions. The distance of finite sets is
// biased upwards, roughly as 1/N: compare values only at equal counts.
//
// The standard error is the infinitesimal jackknife: the spread of the pictures' influence on the
// distance, which is the derivative of d^2 by mean and covariance in the direction of one picture.
// It is taken over a uniform sample of the pictures, costs no further root, and says nothing about
// the bias.
//
// Laws: memory does not grow with N; the result does not depend on the batch size; d(A, A) = 0;
// d(A, B) = d(B, A); equal to closed forms and to brute force.                    (frechet_test.cc)
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace vq {

// A Gaussian fitted to feature vectors, and a few of them.
struct FeatureStatistics {
  int64_t count = 0;
  at::Tensor mean, covariance;
  at::Tensor sample;  // (M, D) float32: a uniform sample without repetition, or all in order
};

class FeatureAccumulator {
 public:
  // The seed chooses the sample of at most `keep`; two sides of one comparison may share it.
  explicit FeatureAccumulator(uint64_t seed = 0, int64_t keep = 2048);
  // (B, D), finite; D as in the first call.
  void add(const at::Tensor& features);
  int64_t count() const { return count_; }
  // Throws vq::Error for fewer than two vectors.
  FeatureStatistics finish();

 private:
  void start(int64_t width);
  void flush();
  void keep(const at::Tensor& rows);
  void make_room(int64_t rows);

  uint64_t seed_;
  int64_t room_;
  int64_t count_ = 0, waiting_ = 0;
  at::Tensor block_;  // (256, D) rows that wait for a product of fixed size
  at::Tensor pilot_;  // mean of the first block: sums are taken about it, so that nothing cancels
  at::Tensor sum_, products_;
  at::Tensor sample_;  // (at most room_, D), grows as rows come
};

struct FrechetDistance {
  double value = 0;
  // NaN where a side has fewer than two pictures a dimension: there the derivative is not to be
  // trusted.
  double error = 0;
};

FrechetDistance frechet_distance(const FeatureStatistics& real, const FeatureStatistics& fake);

}  // namespace vq
