#include "lib/scoring/precision_recall.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "temp_folder.h"

namespace vq {
namespace {

at::Tensor normal(int64_t rows, int64_t width, uint64_t seed) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return at::randn({rows, width}, generator, at::TensorOptions(at::kFloat));
}

double distance(const at::Tensor& a, const at::Tensor& b) {
  return (a.to(at::kDouble) - b.to(at::kDouble)).pow(2).sum().item<double>();
}

double radius(const at::Tensor& x, int64_t i, int64_t k) {
  std::vector<double> all;
  for (int64_t j = 0; j < x.size(0); ++j) {
    if (j != i) all.push_back(distance(x[i], x[j]));
  }
  std::sort(all.begin(), all.end());
  return all[static_cast<size_t>(k - 1)];
}

TEST(PrecisionRecall, EqualsBruteForce) {
  constexpr int64_t k = 3, n = 30, m = 40;
  const at::Tensor real = normal(n, 4, 1), fake = normal(m, 4, 2) * 0.8 + 0.6;
  double precision = 0, recall = 0, density = 0, coverage = 0;
  for (int64_t j = 0; j < m; ++j) {
    int balls = 0;
    for (int64_t i = 0; i < n; ++i) balls += distance(real[i], fake[j]) < radius(real, i, k);
    precision += balls > 0;
    density += static_cast<double>(balls) / k;
  }
  for (int64_t i = 0; i < n; ++i) {
    bool inside = false, covered = false;
    for (int64_t j = 0; j < m; ++j) {
      inside = inside || distance(real[i], fake[j]) < radius(fake, j, k);
      covered = covered || distance(real[i], fake[j]) < radius(real, i, k);
    }
    recall += inside, coverage += covered;
  }
  const PrecisionRecall result = precision_recall(real, fake, k);
  EXPECT_NEAR(result.precision.value, precision / m, 1e-12);
  EXPECT_NEAR(result.recall.value, recall / n, 1e-12);
  EXPECT_NEAR(result.density.value, density / m, 1e-12);
  EXPECT_NEAR(result.coverage.value, coverage / n, 1e-12);
  EXPECT_GT(result.precision.value, result.precision.error);
  const double p = result.precision.value;
  EXPECT_NEAR(result.precision.error, std::sqrt(p * (1 - p) / (m - 1)), 1e-9);
}

TEST(PrecisionRecall, TellsWhatIsMissingFromWhatIsWrong) {
  const at::Tensor real = normal(1500, 3, 1);
  const at::Tensor half = real.index_select(0, (real.select(1, 0) > 0).nonzero().squeeze(1));
  const PrecisionRecall narrow = precision_recall(real, half);
  EXPECT_EQ(narrow.precision.value, 1);
  EXPECT_LT(narrow.recall.value, 0.65);
  EXPECT_LT(narrow.coverage.value, 0.65);
  const PrecisionRecall far = precision_recall(real, real + 100);
  EXPECT_EQ(far.precision.value + far.recall.value + far.density.value + far.coverage.value, 0);
  const PrecisionRecall same = precision_recall(real, normal(1500, 3, 2));
  EXPECT_NEAR(same.density.value, 1, 0.1);
  EXPECT_GT(same.coverage.value, 0.9);
}

TEST(PrecisionRecall, RefusesTooFew) {
  EXPECT_NE(error_of([] { precision_recall(normal(5, 3, 1), normal(9, 3, 1)); }).find("too few"),
            std::string::npos);
}

}  // namespace
}  // namespace vq
