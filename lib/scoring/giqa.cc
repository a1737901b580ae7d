#include "lib/scoring/giqa.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include "formats/error.h"

namespace vq {
namespace {

constexpr int64_t kParts = 5;  // one of them is held out
constexpr int64_t kRows = 256;
constexpr double kNothing = 1e-6;  // added to each difference, as GIQA's program does

// Rows whose number is kParts - 1 modulo kParts, or all others.
at::Tensor part(const at::Tensor& rows, bool held_out) {
  const at::Tensor number = at::arange(rows.size(0), at::kLong) % kParts;
  const at::Tensor mask = held_out ? number == kParts - 1 : number != kParts - 1;
  return rows.index_select(0, mask.nonzero().squeeze(1));
}

ShareWithError mean_with_error(const at::Tensor& values) {
  const int64_t n = values.numel();
  const double deviation = n > 1 ? values.std(true).item<double>() : std::nan("");
  return {values.mean().item<double>(), deviation / std::sqrt(static_cast<double>(n))};
}

}  // namespace

ScoresByKind::ScoresByKind(const at::Tensor& scores, const at::Tensor& kinds) {
  at::Tensor order;
  std::tie(sorted, order) = scores.sort();
  below = at::constant_pad_nd(kinds.index_select(0, order).cumsum(0), {0, 0, 1, 0});
}

at::Tensor ScoresByKind::rank_among_all(const at::Tensor& scores) const {
  const at::Tensor low = at::searchsorted(sorted, scores, false, /*right=*/false);
  const at::Tensor high = at::searchsorted(sorted, scores, false, /*right=*/true);
  return (low + high).to(at::kDouble) / (2.0 * static_cast<double>(sorted.numel()));
}

at::Tensor ScoresByKind::rank_among_kind(const at::Tensor& scores, const at::Tensor& kinds) const {
  const at::Tensor low = at::searchsorted(sorted, scores, false, /*right=*/false);
  const at::Tensor high = at::searchsorted(sorted, scores, false, /*right=*/true);
  const at::Tensor lower = (below.index_select(0, low) + below.index_select(0, high)) / 2;
  const at::Tensor one_more = rank_among_all(scores).unsqueeze(1);
  const at::Tensor rank = (lower + one_more) / (below[sorted.numel()] + 1);
  return (rank * kinds).sum(1);
}

at::Tensor knn_scores(const at::Tensor& rows, const at::Tensor& fitted, int64_t neighbours) {
  std::vector<at::Tensor> scores;
  for (const at::Tensor& some : rows.split(kRows)) {
    const at::Tensor distance = at::cdist(some, fitted, 1);
    const at::Tensor nearest = std::get<0>(distance.topk(neighbours, 1, /*largest=*/false));
    scores.push_back((nearest + kNothing).reciprocal().sum(1));
  }
  return at::cat(scores);
}

GiqaFit fit_giqa(const at::Tensor& vectors, const GiqaOptions& options) {
  const at::NoGradGuard no_grad;
  const int64_t need = kParts * std::max(options.components, options.neighbours);
  if (vectors.size(0) < need) {
    throw Error("", fmt::format("too few pictures: {}, and a mixture of {} and {} neighbours need "
                                "{}",
                                vectors.size(0), options.components, options.neighbours, need));
  }
  const at::Tensor rows = vectors.to(at::kDouble);
  GiqaFit fit;
  fit.neighbours = options.neighbours;
  fit.space = principal_components(part(rows, false), options.explained);
  fit.fitted = fit.space.project(part(rows, false));
  fit.held_out = fit.space.project(part(rows, true));
  MixtureOptions how;
  how.components = options.components;
  how.seed = options.seed;
  fit.mixture = fit_mixture(fit.fitted, how).mixture;
  const at::Tensor kinds = fit.mixture.responsibilities(fit.held_out);
  fit.held_out_gmm = {fit.mixture.log_likelihood(fit.held_out), kinds};
  fit.held_out_knn = {knn_scores(fit.held_out, fit.fitted, fit.neighbours), kinds};
  return fit;
}

Quality measure_quality(const GiqaFit& real, const at::Tensor& fake) {
  const at::NoGradGuard no_grad;
  const at::Tensor rows = real.space.project(fake);
  const at::Tensor gmm = real.mixture.log_likelihood(rows);
  const at::Tensor knn = knn_scores(rows, real.fitted, real.neighbours);
  const at::Tensor kinds = real.mixture.responsibilities(rows);
  Quality quality;
  quality.gmm = gmm.mean().item<double>();
  quality.knn = knn.mean().item<double>();
  quality.gmm_rank = mean_with_error(real.held_out_gmm.rank_among_kind(gmm, kinds));
  quality.knn_rank = mean_with_error(real.held_out_knn.rank_among_kind(knn, kinds));
  quality.gmm_among_all = mean_with_error(real.held_out_gmm.rank_among_all(gmm));
  quality.knn_among_all = mean_with_error(real.held_out_knn.rank_among_all(knn));
  quality.held_out_gmm = real.held_out_gmm.sorted.mean().item<double>();
  quality.held_out_knn = real.held_out_knn.sorted.mean().item<double>();
  return quality;
}

Diversity measure_diversity(const GiqaFit& real, const at::Tensor& real_vectors,
                            const at::Tensor& fake, const GiqaOptions& options) {
  const at::NoGradGuard no_grad;
  Diversity result;
  const at::Tensor real_rows = real.mixture.responsibilities(real.space.project(real_vectors));
  const at::Tensor fake_rows = real.mixture.responsibilities(real.space.project(fake));
  result.real_shares = real_rows.mean(0);
  result.fake_shares = fake_rows.mean(0);
  const at::Tensor difference = result.real_shares - result.fake_shares;
  result.value.value = 1 - 0.5 * difference.abs().sum().item<double>();
  // The value is linear in the shares where no difference changes its sign.
  const at::Tensor direction = difference.sign() * 0.5;
  const auto variance = [&](const at::Tensor& rows) {
    return rows.mv(direction).var(true).item<double>() / static_cast<double>(rows.size(0));
  };
  result.value.error = std::sqrt(variance(real_rows) + variance(fake_rows));

  const GiqaFit swapped = fit_giqa(fake, options);
  const at::Tensor scores = swapped.mixture.log_likelihood(swapped.space.project(real_vectors));
  result.swapped = scores.mean().item<double>();
  result.swapped_rank = mean_with_error(swapped.held_out_gmm.rank_among_all(scores));
  return result;
}

}  // namespace vq
