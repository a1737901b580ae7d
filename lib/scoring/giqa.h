// How typical of real pictures each picture is (quality), and whether all kinds of real pictures
// are there (diversity): GIQA (Gu et al. 2020) and what the VQ-Diffusion papers make of it.
//
//   real (N, D), fake (M, D)   feature vectors
//
// The real vectors are parted: four fifths are fitted, each fifth is held out. Both are projected
// on the principal components of the fitted ones that explain 95 % of the variance.
//   gmm    mean log likelihood of the fakes under a mixture of normal distributions (natural log)
//   knn    mean over fakes of the sum of 1 / d to the K nearest fitted ones, d the sum of absolute
//          differences, as GIQA's program has it
//   rank   mean share of held-out real vectors that score lower: 1/2 is as good as real, more is
//          "more typical than real", as strong guidance makes pictures. In two ways: among those of
//          the same kind, and among all of them
// A kind is a component of the mixture. Its held-out vectors count by their responsibilities, and
// one more vector with them that ranks as it does among all, so that a kind that was held out by
// chance hardly at all has a rank too; a fake's ranks are weighed by its own responsibilities.
// Raw values say nothing by themselves; ranks are comparable where real side and network are the
// same. The rank among all depends on which kinds there are: kinds lie more or less densely. How
// the papers bring their scores into 0..1 is not published: these are not their numbers.
//
// Diversity:
//   shares    of real and fake vectors in each component of the real mixture
//   value     1 - half the sum of the differences of the shares: 1 where every kind is as frequent
//             as among real pictures, 1 - the real share of it where a kind is missing
//   swapped   fitted on fakes, the mean log likelihood of real ones, and its rank among held-out
//             fakes
//
// Laws: leaving kinds out lowers diversity and leaves quality (the rank among the same kind),
// however dense they lie; noise lowers quality and leaves diversity.      (giqa_test.cc,
// tests/parity)
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "lib/scoring/mixture.h"
#include "lib/scoring/precision_recall.h"

namespace vq {

struct GiqaOptions {
  int64_t components = 7;
  int64_t neighbours = 5;
  double explained = 0.95;
  uint64_t seed = 0;
};

// What rank a score has among others, of whatever kind or of its own.
struct ScoresByKind {
  at::Tensor sorted;  // (H) scores
  at::Tensor below;   // (H + 1, M) how many of each kind are among the first so many of them

  ScoresByKind() = default;
  // scores (H), kinds (H, M): how far each belongs to each kind, rows sum to one.
  ScoresByKind(const at::Tensor& scores, const at::Tensor& kinds);
  // (N): shares that are lower, ties by half.
  at::Tensor rank_among_all(const at::Tensor& scores) const;
  at::Tensor rank_among_kind(const at::Tensor& scores, const at::Tensor& kinds) const;
};

// A mixture fitted to one side, and the scores of what was held out of that side.
struct GiqaFit {
  PrincipalComponents space;
  Mixture mixture;
  at::Tensor fitted;    // (N, k) projected
  at::Tensor held_out;  // (H, k)
  ScoresByKind held_out_gmm, held_out_knn;
  int64_t neighbours = 0;
};
// Throws vq::Error: too few vectors for the components.
GiqaFit fit_giqa(const at::Tensor& vectors, const GiqaOptions& options);

// Scores of projected rows.
at::Tensor knn_scores(const at::Tensor& rows, const at::Tensor& fitted, int64_t neighbours);

struct Quality {
  ShareWithError gmm_rank, knn_rank;  // among held-out real pictures of the same kind
  ShareWithError gmm_among_all, knn_among_all;
  double gmm = 0, knn = 0;
  double held_out_gmm = 0, held_out_knn = 0;  // what real pictures have
};
Quality measure_quality(const GiqaFit& real, const at::Tensor& fake);

struct Diversity {
  ShareWithError value;
  at::Tensor real_shares, fake_shares;  // (components)
  double swapped = 0;
  ShareWithError swapped_rank;
};
Diversity measure_diversity(const GiqaFit& real, const at::Tensor& real_vectors,
                            const at::Tensor& fake, const GiqaOptions& options);

}  // namespace vq
