#include "lib/scoring/precision_recall.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "formats/error.h"

namespace vq {
namespace {

constexpr int64_t kRows = 1024;

// Squared distance to the k-th nearest other row of the same set.
at::Tensor radii(const at::Tensor& x, int64_t k) {
  std::vector<at::Tensor> parts;
  for (const at::Tensor& rows : x.split(kRows)) {
    // The row itself is the nearest; rounding must not make it anything else.
    parts.push_back(std::get<0>(squared_distances(rows, x).kthvalue(k + 1, 1)));
  }
  return at::cat(parts);
}

ShareWithError mean_of(const at::Tensor& values) {
  const at::Tensor numbers = values.to(at::kDouble);
  const auto n = static_cast<double>(numbers.numel());
  const double deviation = numbers.numel() > 1 ? numbers.std(true).item<double>() : std::nan("");
  return {numbers.mean().item<double>(), deviation / std::sqrt(n)};
}

}  // namespace

at::Tensor squared_distances(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor squares = a.pow(2).sum(1, true) + b.pow(2).sum(1).unsqueeze(0);
  return at::addmm(squares, a, b.t(), 1, -2).clamp_min_(0);
}

PrecisionRecall precision_recall(const at::Tensor& real_features, const at::Tensor& fake_features,
                                 int64_t k) {
  const at::NoGradGuard no_grad;
  if (real_features.size(1) != fake_features.size(1)) {
    throw Error("", fmt::format("features of {} and of {} numbers cannot be compared",
                                real_features.size(1), fake_features.size(1)));
  }
  const int64_t fewest = std::min(real_features.size(0), fake_features.size(0));
  if (fewest <= k) {
    throw Error("", fmt::format("too few pictures: {}, and each needs {} neighbours", fewest, k));
  }
  // Distances do not change when the middle is taken off, and round less.
  const at::Tensor middle = real_features.to(at::kDouble).mean(0);
  const at::Tensor real = real_features.to(at::kDouble) - middle;
  const at::Tensor fake = fake_features.to(at::kDouble) - middle;
  const at::Tensor real_radii = radii(real, k), fake_radii = radii(fake, k);

  std::vector<at::Tensor> precise, dense, recalled, covered;
  at::Tensor in_real_balls = at::zeros({fake.size(0)}, at::kDouble);
  const auto real_rows = real.split(kRows);
  const auto reaches = real_radii.split(kRows);
  for (size_t i = 0; i < real_rows.size(); ++i) {
    const at::Tensor distance = squared_distances(real_rows[i], fake);
    const at::Tensor inside = distance < reaches[i].unsqueeze(1);
    in_real_balls += inside.sum(0);
    covered.push_back(inside.any(1));
    recalled.push_back((distance < fake_radii.unsqueeze(0)).any(1));
  }
  return {mean_of(in_real_balls > 0), mean_of(at::cat(recalled)),
          mean_of(in_real_balls / static_cast<double>(k)), mean_of(at::cat(covered))};
}

}  // namespace vq
