#include "lib/scoring/frechet.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "formats/error.h"
#include "lib/random.h"

namespace vq {
namespace {

constexpr int64_t kBlock = 256;
// Eigenvalues below this part of the largest are rounding noise of a singular matrix.
constexpr double kRelativeZero = 1e-12;

struct Eigen {
  at::Tensor values, vectors;  // (D) not negative, (D, D) columns
};

Eigen eigen(const at::Tensor& symmetric) {
  auto [values, vectors] = at::linalg_eigh((symmetric + symmetric.t()) / 2);
  return {values.clamp_min(0), vectors};
}

at::Tensor compose(const Eigen& e, const at::Tensor& values) {
  return (e.vectors * values).mm(e.vectors.t());
}

at::Tensor root(const Eigen& e) { return compose(e, e.values.sqrt()); }

// values^(-1/2), and zero where the value is.
at::Tensor inverse_root_values(const Eigen& e) {
  const at::Tensor zero = e.values <= e.values.max() * kRelativeZero;
  return at::where(zero, at::zeros_like(e.values), e.values.rsqrt());
}

// Variance of the influence of one picture: 2 (m - m') . y + y' (I - T) y, y = x - m, where T maps
// this side's Gaussian onto the other one.
double influence_variance(const FeatureStatistics& side, const at::Tensor& mean_difference,
                          const at::Tensor& transport) {
  const at::Tensor y = side.sample.to(at::kDouble) - side.mean;
  const at::Tensor curved = y - y.mm(transport);
  const at::Tensor influence = (y * (curved + 2 * mean_difference)).sum(1);
  return influence.var(/*unbiased=*/true).item<double>();
}

void check_pair(const FeatureStatistics& a, const FeatureStatistics& b) {
  if (a.mean.size(0) != b.mean.size(0)) {
    throw Error("", fmt::format("features of {} and of {} numbers cannot be compared",
                                a.mean.size(0), b.mean.size(0)));
  }
}

}  // namespace

FeatureAccumulator::FeatureAccumulator(uint64_t seed, int64_t keep) : seed_(seed), room_(keep) {}

void FeatureAccumulator::start(int64_t width) {
  const auto options = at::TensorOptions(at::kDouble);
  block_ = at::empty({kBlock, width}, options);
  sum_ = at::zeros({width}, options);
  products_ = at::zeros({width, width}, options);
  sample_ = at::empty({0, width}, at::kFloat);
}

void FeatureAccumulator::add(const at::Tensor& features) {
  const at::NoGradGuard no_grad;
  const at::Tensor rows = features.detach().to(at::kCPU, at::kDouble).contiguous();
  if (!block_.defined()) start(rows.size(1));
  if (rows.size(1) != block_.size(1)) {
    throw Error("", fmt::format("features of {} numbers after features of {}", rows.size(1),
                                block_.size(1)));
  }
  if (!at::isfinite(rows).all().item<bool>()) {
    throw Error("", "the network gives features that are not finite");
  }
  keep(rows);
  for (int64_t done = 0; done < rows.size(0);) {
    const int64_t n = std::min(kBlock - waiting_, rows.size(0) - done);
    block_.narrow(0, waiting_, n).copy_(rows.narrow(0, done, n));
    waiting_ += n;
    done += n;
    if (waiting_ == kBlock) flush();
  }
}

void FeatureAccumulator::make_room(int64_t rows) {
  const int64_t there = sample_.size(0);
  if (rows <= there) return;
  const at::Tensor larger = at::empty({std::min(room_, 2 * rows), sample_.size(1)}, at::kFloat);
  larger.narrow(0, 0, there).copy_(sample_);
  sample_ = larger;
}

// Reservoir sampling (algorithm R): picture n takes the place of a kept one with probability
// room_ / (n + 1).
void FeatureAccumulator::keep(const at::Tensor& rows) {
  const int64_t first = std::clamp(room_ - count_, int64_t{0}, rows.size(0));
  make_room(std::min(room_, count_ + first));
  if (first > 0) sample_.narrow(0, count_, first).copy_(rows.narrow(0, 0, first));
  for (int64_t i = first; i < rows.size(0); ++i) {
    const int64_t n = count_ + i;
    const double u = uniform(seed_, Purpose::boot, {static_cast<uint64_t>(n), 0, 0});
    const auto slot = static_cast<int64_t>(u * static_cast<double>(n + 1));
    if (slot < room_) sample_[slot].copy_(rows[i]);
  }
  count_ += rows.size(0);
}

void FeatureAccumulator::flush() {
  if (waiting_ == 0) return;
  const at::Tensor rows = block_.narrow(0, 0, waiting_);
  if (!pilot_.defined()) pilot_ = rows.mean(0);
  const at::Tensor centred = rows - pilot_;
  sum_.add_(centred.sum(0));
  products_.addmm_(centred.t(), centred);
  waiting_ = 0;
}

FeatureStatistics FeatureAccumulator::finish() {
  const at::NoGradGuard no_grad;
  if (count_ < 2) {
    throw Error("", fmt::format("too few pictures: {}, and a covariance needs two", count_));
  }
  flush();
  const auto n = static_cast<double>(count_);
  const at::Tensor shift = sum_ / n;
  FeatureStatistics result;
  result.count = count_;
  result.mean = pilot_ + shift;
  result.covariance = (products_ - n * at::outer(shift, shift)) / (n - 1);
  result.sample = sample_.narrow(0, 0, std::min(count_, room_)).clone();
  return result;
}

FrechetDistance frechet_distance(const FeatureStatistics& a, const FeatureStatistics& b) {
  const at::NoGradGuard no_grad;
  check_pair(a, b);
  const at::Tensor difference = a.mean - b.mean;
  const Eigen first = eigen(a.covariance);
  const at::Tensor first_root = root(first);
  const Eigen product = eigen(first_root.mm(b.covariance).mm(first_root));
  const double trace = a.covariance.trace().item<double>() + b.covariance.trace().item<double>() -
                       2 * product.values.sqrt().sum().item<double>();
  // Rounding may leave a distance of zero a little below it.
  FrechetDistance result{std::max(0.0, difference.dot(difference).item<double>() + trace),
                         std::numeric_limits<double>::quiet_NaN()};
  const int64_t width = a.mean.size(0);
  if (std::min(a.count, b.count) < 2 * width || std::min(a.sample.size(0), b.sample.size(0)) < 2) {
    return result;
  }
  const at::Tensor inverse = compose(first, inverse_root_values(first));
  const at::Tensor forth = inverse.mm(root(product)).mm(inverse);
  const at::Tensor back =
      first_root.mm(compose(product, inverse_root_values(product))).mm(first_root);
  const double variance = influence_variance(a, difference, forth) / static_cast<double>(a.count) +
                          influence_variance(b, -difference, back) / static_cast<double>(b.count);
  result.error = std::sqrt(variance);
  return result;
}

}  // namespace vq
