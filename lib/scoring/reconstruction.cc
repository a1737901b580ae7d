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

int64_t count(const SideBatch& batch) { return batch.bytes.defined() ? batch.bytes.size(0) : 0; }

}  // namespace

void Reconstruction::add(const at::Tensor& bytes, const at::Tensor& others) {
  const at::Tensor decibels = psnr(to_images(bytes), to_images(others)).to(at::kDouble);
  count_ += decibels.numel();
  sum_ += decibels.sum().item<double>();
  squares_ += decibels.pow(2).sum().item<double>();
}

double Reconstruction::mean() const {
  return count_ > 0 ? sum_ / static_cast<double>(count_) : kNone;
}

double Reconstruction::error() const {
  if (count_ < 2) return kNone;
  const auto n = static_cast<double>(count_);
  const double variance = std::max(0.0, (squares_ - sum_ * sum_ / n) / (n - 1));
  return std::sqrt(variance / n);
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
  if (count(first) != count(second)) {
    const bool more = count(first) > count(second);
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
