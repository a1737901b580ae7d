#include "lib/scoring/kernel_distance.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "formats/error.h"
#include "lib/random.h"

namespace vq {
namespace {

at::Tensor kernel(const at::Tensor& a, const at::Tensor& b) {
  return a.mm(b.t()).div_(static_cast<double>(a.size(1))).add_(1).pow_(3);
}

// One subset: its value, and the variances of what single vectors do to it.
struct SubsetResult {
  double value, real_variance, fake_variance;
};

// Mean of k(x, others) for each x of one set.
at::Tensor to_others(const at::Tensor& x) {
  const at::Tensor k = kernel(x, x);
  return (k.sum(1) - k.diagonal()) / static_cast<double>(x.size(0) - 1);
}

SubsetResult measure(const at::Tensor& x, const at::Tensor& y) {
  const at::Tensor cross = kernel(x, y);
  const at::Tensor within_x = to_others(x), within_y = to_others(y);
  const at::Tensor x_to_y = cross.mean(1), y_to_x = cross.mean(0);
  const auto variance = [](const at::Tensor& influence) {
    return 4 * influence.var(/*unbiased=*/true).item<double>();
  };
  return {(within_x.mean() + within_y.mean() - 2 * cross.mean()).item<double>(),
          variance(within_x - x_to_y), variance(within_y - y_to_x)};
}

at::Tensor draw(const at::Tensor& from, int64_t count, uint64_t seed, uint32_t round) {
  if (count == from.size(0)) return from.to(at::kDouble);
  std::vector<int64_t> order = permutation(seed, round, from.size(0));
  order.resize(static_cast<size_t>(count));
  return from.index_select(0, at::tensor(order, at::kLong)).to(at::kDouble);
}

}  // namespace

KernelDistance kernel_distance(const at::Tensor& real, const at::Tensor& fake,
                               const KernelDistanceOptions& options) {
  const at::NoGradGuard no_grad;
  if (real.size(1) != fake.size(1)) {
    throw Error("", fmt::format("features of {} and of {} numbers cannot be compared", real.size(1),
                                fake.size(1)));
  }
  const int64_t fewest = std::min(real.size(0), fake.size(0));
  if (fewest < 2) throw Error("", fmt::format("too few pictures: {}, and kid needs two", fewest));
  KernelDistance result;
  result.subset = std::min(options.subset, fewest);
  const bool all = real.size(0) == result.subset && fake.size(0) == result.subset;
  result.subsets = all ? 1 : options.subsets;
  const uint64_t other = derive_seed(options.seed, "fake side of kid");
  double sum = 0, squares = 0, real_variance = 0, fake_variance = 0;
  for (int64_t i = 0; i < result.subsets; ++i) {
    const auto round = static_cast<uint32_t>(i);
    const SubsetResult one = measure(draw(real, result.subset, options.seed, round),
                                     draw(fake, result.subset, other, round));
    sum += one.value;
    squares += one.value * one.value;
    real_variance += one.real_variance;
    fake_variance += one.fake_variance;
  }
  const auto n = static_cast<double>(result.subsets);
  result.value = sum / n;
  result.deviation = std::sqrt(std::max(0.0, squares / n - result.value * result.value));
  result.error = std::sqrt(real_variance / n / static_cast<double>(real.size(0)) +
                           fake_variance / n / static_cast<double>(fake.size(0)));
  return result;
}

}  // namespace vq
