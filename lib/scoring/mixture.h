// Principal components, and a mixture of normal distributions fitted by expectation maximisation.
//
//   x (N, D)   float64 rows
//
// Components: the directions of most variance that together explain a share of it, as
// scikit-learn's PCA(n_components=share) chooses them; centred, not whitened.
// Mixture: full covariances, 1e-6 added to their diagonals, from k-means, until the mean log
// likelihood grows by less than 1e-3 or 100 rounds: scikit-learn's GaussianMixture with its
// defaults.
//
// Laws: the likelihood never falls; equal to scikit-learn from the same start.
//                                                        (mixture_test.cc, tests/parity)
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace vq {

struct PrincipalComponents {
  at::Tensor mean;        // (D)
  at::Tensor directions;  // (D, k) orthonormal columns
  double explained = 0;   // share of the variance

  at::Tensor project(const at::Tensor& x) const;  // (N, k)
};
// At least one direction, at most D and N - 1 of them.
PrincipalComponents principal_components(const at::Tensor& x, double share);

struct Mixture {
  at::Tensor weights;      // (M)
  at::Tensor means;        // (M, D)
  at::Tensor covariances;  // (M, D, D)

  int64_t size() const { return weights.size(0); }
  // (N, M) log of weight times density.
  at::Tensor joint(const at::Tensor& x) const;
  at::Tensor log_likelihood(const at::Tensor& x) const;    // (N)
  at::Tensor responsibilities(const at::Tensor& x) const;  // (N, M), rows sum to one
};

struct MixtureOptions {
  int64_t components = 5;
  int64_t rounds = 100;
  double tolerance = 1e-3, added = 1e-6;
  uint64_t seed = 0;
};

struct MixtureFit {
  Mixture mixture;
  double mean_log_likelihood = 0;
  int64_t rounds = 0;
  bool converged = false;
};

// The mixture that a first guess of which row belongs where (N, M) gives.
Mixture maximise(const at::Tensor& x, const at::Tensor& responsibilities, double added);
// Hard responsibilities of the best of ten k-means.
at::Tensor start_responsibilities(const at::Tensor& x, int64_t components, uint64_t seed);
MixtureFit improve(const at::Tensor& x, Mixture start, const MixtureOptions& options);
// Throws vq::Error for fewer rows than components.
MixtureFit fit_mixture(const at::Tensor& x, const MixtureOptions& options);

}  // namespace vq
