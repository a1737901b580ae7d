#include "lib/scoring/reconstruction.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_set>

#include "formats/error.h"

namespace vq {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr int64_t kWindow = 11;
constexpr double kWindowDeviation = 1.5;

// (N, 1, H, W) -> (N, 1, H - 10, W - 10): Gaussian means.
at::Tensor windowed(const at::Tensor& planes) {
  const at::Tensor from_middle = at::arange(kWindow, at::kDouble) - kWindow / 2;
  const at::Tensor bell = at::exp(from_middle.pow(2) / (-2 * kWindowDeviation * kWindowDeviation));
  const at::Tensor weights = bell / bell.sum();
  const at::Tensor rows = at::conv2d(planes, weights.view({1, 1, 1, kWindow}));
  return at::conv2d(rows, weights.view({1, 1, kWindow, 1}));
}

}  // namespace

at::Tensor ssim(const at::Tensor& bytes, const at::Tensor& others) {
  if (std::min(bytes.size(1), bytes.size(2)) < kWindow) {
    return at::full({bytes.size(0)}, kNone, at::kDouble);
  }
  const auto planes = [](const at::Tensor& x) {
    return x.to(at::kDouble).permute({0, 3, 1, 2}).reshape({-1, 1, x.size(1), x.size(2)});
  };
  const at::Tensor x = planes(bytes), y = planes(others);
  const at::Tensor mean_x = windowed(x), mean_y = windowed(y);
  const at::Tensor var_x = windowed(x * x) - mean_x * mean_x;
  const at::Tensor var_y = windowed(y * y) - mean_y * mean_y;
  const at::Tensor both = windowed(x * y) - mean_x * mean_y;
  constexpr double c1 = (0.01 * 255) * (0.01 * 255), c2 = (0.03 * 255) * (0.03 * 255);
  const at::Tensor map = (2 * mean_x * mean_y + c1) * (2 * both + c2) /
                         ((mean_x * mean_x + mean_y * mean_y + c1) * (var_x + var_y + c2));
  return map.mean({1, 2, 3}).view({bytes.size(0), 3}).mean(1);
}

void Reconstruction::Running::add(const at::Tensor& values) {
  count += values.numel();
  sum += values.sum().item<double>();
  squares += values.pow(2).sum().item<double>();
}

double Reconstruction::Running::mean() const {
  return count > 0 ? sum / static_cast<double>(count) : kNone;
}

double Reconstruction::Running::error() const {
  if (count < 2) return kNone;
  const auto n = static_cast<double>(count);
  const double variance = std::max(0.0, (squares - sum * sum / n) / (n - 1));
  return std::sqrt(variance / n);
}

void Reconstruction::add(const at::Tensor& bytes, const at::Tensor& others) {
  psnr_.add(psnr(to_images(bytes), to_images(others)).to(at::kDouble));
  ssim_.add(vq::ssim(bytes, others));
}

at::Tensor reconstruct(const Codec& codec, const at::Tensor& bytes) {
  const int64_t height = codec.grid_side(bytes.size(1)), width = codec.grid_side(bytes.size(2));
  return to_bytes(codec.decode(codec.encode(to_images(bytes)), height, width));
}

void align(const Side& first, Side& second) {
  const auto keys = first.keys(), others = second.keys();
  if (keys.empty() || others.empty()) return;
  const std::unordered_set<std::string> known(keys.begin(), keys.end());
  for (const std::string& key : others) {
    if (known.count(key) == 0) throw Error(first.name(), "has no picture '" + key + "'");
  }
  second.order_by(keys);
}

void check_pairs(const SideBatch& first, const SideBatch& second, const std::string& first_name,
                 const std::string& second_name) {
  if (first.count() != second.count()) {
    const bool more = first.count() > second.count();
    throw Error(more ? second_name : first_name,
                "has fewer pictures than " + (more ? first_name : second_name),
                "pictures are compared one with one");
  }
  for (size_t i = 0; i < std::min(first.keys.size(), second.keys.size()); ++i) {
    if (first.keys[i] != second.keys[i]) {
      throw Error(second_name,
                  fmt::format("has picture '{}' where {} has '{}'", second.keys[i], first_name,
                              first.keys[i]),
                  "pictures of the same key are compared, in the same order");
    }
  }
}

}  // namespace vq
