#include "lib/scoring/mixture.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "formats/error.h"
#include "lib/codec/codebook.h"

namespace vq {
namespace {

constexpr double kLogTwoPi = 1.8378770664093454836;
constexpr int kStarts = 10;
constexpr int64_t kRounds = 30;

}  // namespace

at::Tensor PrincipalComponents::project(const at::Tensor& x) const {
  return (x.to(at::kDouble) - mean).mm(directions);
}

PrincipalComponents principal_components(const at::Tensor& x, double share) {
  const at::NoGradGuard no_grad;
  PrincipalComponents result;
  const at::Tensor rows = x.to(at::kDouble);
  result.mean = rows.mean(0);
  const at::Tensor centred = rows - result.mean;
  const auto n = static_cast<double>(std::max<int64_t>(rows.size(0) - 1, 1));
  const auto [values, vectors] = at::linalg_eigh(centred.t().mm(centred) / n);
  const at::Tensor falling = values.flip(0).clamp_min(0);
  const int64_t most = std::min(rows.size(1), std::max<int64_t>(rows.size(0) - 1, 1));
  const double total = falling.sum().item<double>();
  double sum = 0;
  int64_t kept = 0;
  while (kept < most && (kept == 0 || sum <= share * total)) {
    sum += falling[kept++].item<double>();
  }
  result.directions = vectors.flip(1).narrow(1, 0, kept).contiguous();
  result.explained = total > 0 ? sum / total : 1;
  return result;
}

at::Tensor Mixture::joint(const at::Tensor& x) const {
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> columns;
  const auto width = static_cast<double>(x.size(1));
  for (int64_t m = 0; m < size(); ++m) {
    const at::Tensor factor = at::linalg_cholesky(covariances[m]);
    const at::Tensor centred = (x - means[m]).t();
    const at::Tensor white = at::linalg_solve_triangular(factor, centred, /*upper=*/false);
    const at::Tensor log_root = factor.diagonal().log().sum();
    columns.push_back(weights[m].log() - log_root - 0.5 * (width * kLogTwoPi) -
                      0.5 * white.pow(2).sum(0));
  }
  return at::stack(columns, 1);
}

at::Tensor Mixture::log_likelihood(const at::Tensor& x) const { return joint(x).logsumexp({1}); }

at::Tensor Mixture::responsibilities(const at::Tensor& x) const { return joint(x).softmax(1); }

Mixture maximise(const at::Tensor& x, const at::Tensor& responsibilities, double added) {
  const at::NoGradGuard no_grad;
  const double tiny = 10 * std::numeric_limits<double>::epsilon();
  const at::Tensor counts = responsibilities.sum(0) + tiny;
  Mixture result;
  result.weights = counts / counts.sum();
  result.means = responsibilities.t().mm(x) / counts.unsqueeze(1);
  std::vector<at::Tensor> covariances;
  for (int64_t m = 0; m < counts.size(0); ++m) {
    const at::Tensor centred = x - result.means[m];
    at::Tensor covariance =
        (centred * responsibilities.select(1, m).unsqueeze(1)).t().mm(centred) / counts[m];
    covariance.diagonal().add_(added);
    covariances.push_back(covariance);
  }
  result.covariances = at::stack(covariances);
  return result;
}

at::Tensor start_responsibilities(const at::Tensor& x, int64_t components, uint64_t seed) {
  const at::NoGradGuard no_grad;
  const at::Tensor rows = x.to(at::kFloat);
  at::Tensor best;
  double least = std::numeric_limits<double>::infinity();
  for (int start = 0; start < kStarts; ++start) {
    const at::Tensor centres =
        k_means(rows, components, kRounds, seed * kStarts + static_cast<uint64_t>(start));
    const at::Tensor nearest = nearest_code(rows, centres);
    const double spread = (rows - centres.index_select(0, nearest)).pow(2).sum().item<double>();
    if (spread < least) {
      least = spread;
      best = nearest;
    }
  }
  return at::one_hot(best, components).to(at::kDouble);
}

MixtureFit improve(const at::Tensor& x, Mixture start, const MixtureOptions& options) {
  const at::NoGradGuard no_grad;
  MixtureFit fit{std::move(start), -std::numeric_limits<double>::infinity(), 0, false};
  while (fit.rounds < options.rounds && !fit.converged) {
    const at::Tensor joint = fit.mixture.joint(x);
    const double likelihood = joint.logsumexp({1}).mean().item<double>();
    fit.converged = std::abs(likelihood - fit.mean_log_likelihood) < options.tolerance;
    fit.mean_log_likelihood = likelihood;
    fit.mixture = maximise(x, joint.softmax(1), options.added);
    ++fit.rounds;
  }
  return fit;
}

MixtureFit fit_mixture(const at::Tensor& x, const MixtureOptions& options) {
  if (x.size(0) < options.components) {
    throw Error("", fmt::format("too few pictures: {}, and the mixture has {} components",
                                x.size(0), options.components));
  }
  const at::Tensor rows = x.to(at::kDouble);
  const at::Tensor first = start_responsibilities(rows, options.components, options.seed);
  return improve(rows, maximise(rows, first, options.added), options);
}

}  // namespace vq
