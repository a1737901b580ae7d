#include "lib/scoring/kernel_distance.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>

#include <cmath>

#include "temp_folder.h"

namespace vq {
namespace {

at::Tensor normal(int64_t rows, int64_t width, uint64_t seed) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return at::randn({rows, width}, generator, at::TensorOptions(at::kFloat));
}

double brute(const at::Tensor& x, const at::Tensor& y) {
  const auto kernel = [](const at::Tensor& a, const at::Tensor& b) {
    return std::pow(
        a.to(at::kDouble).dot(b.to(at::kDouble)).item<double>() / static_cast<double>(a.size(0)) +
            1,
        3);
  };
  const int64_t n = x.size(0);
  double within = 0, cross = 0;
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      if (i != j) within += kernel(x[i], x[j]) + kernel(y[i], y[j]);
      cross += kernel(x[i], y[j]);
    }
  }
  return within / static_cast<double>(n * (n - 1)) - 2 * cross / static_cast<double>(n * n);
}

TEST(KernelDistance, IsItsFormula) {
  const at::Tensor x = normal(9, 6, 1), y = normal(9, 6, 2) + 0.3;
  const KernelDistance distance = kernel_distance(x, y);
  EXPECT_EQ(distance.subsets, 1);
  EXPECT_EQ(distance.subset, 9);
  EXPECT_NEAR(distance.value, brute(x, y), 1e-9);
  EXPECT_EQ(distance.deviation, 0);
}

TEST(KernelDistance, SubsetsAverageToTheWhole) {
  const at::Tensor x = normal(200, 6, 1), y = normal(150, 6, 2) + 0.3;
  const KernelDistance all = kernel_distance(x, y, {.subsets = 400, .subset = 40});
  EXPECT_EQ(all.subsets, 400);
  EXPECT_GT(all.deviation, 0);
  // An unbiased mean over subsets: the spread of 400 of them bounds how far it is off.
  EXPECT_NEAR(all.value, kernel_distance(x.narrow(0, 0, 150), y).value, 0.05);
  EXPECT_NE(all.value, kernel_distance(x, y, {.subsets = 400, .subset = 40, .seed = 1}).value);
  EXPECT_EQ(all.value, kernel_distance(x, y, {.subsets = 400, .subset = 40}).value);
}

TEST(KernelDistance, ErrorIsTheSpreadOverSets) {
  double sum = 0, squares = 0, errors = 0, nought = 0;
  constexpr int kSets = 60;
  for (int i = 0; i < kSets; ++i) {
    const at::Tensor x = normal(120, 4, 10 + 2 * i), y = normal(120, 4, 11 + 2 * i) + 0.4;
    const KernelDistance d = kernel_distance(x, y);
    sum += d.value, squares += d.value * d.value, errors += d.error;
    nought += kernel_distance(x, y - 0.4).value;
  }
  const double mean = sum / kSets, spread = std::sqrt(squares / kSets - mean * mean);
  EXPECT_NEAR(errors / kSets / spread, 1, 0.35);
  EXPECT_NEAR(nought / kSets, 0, 4 * spread / std::sqrt(kSets));
}

TEST(KernelDistance, RefusesWhatCannotBeCompared) {
  EXPECT_NE(error_of([] { kernel_distance(normal(1, 3, 1), normal(5, 3, 1)); }).find("too few"),
            std::string::npos);
  EXPECT_NE(error_of([] { kernel_distance(normal(5, 3, 1), normal(5, 4, 1)); }).find("3 and of 4"),
            std::string::npos);
}

}  // namespace
}  // namespace vq
