#include "lib/scoring/frechet.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "formats/error.h"

namespace vq {
namespace {

at::Tensor normal(int64_t rows, int64_t width, uint64_t seed) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return at::randn({rows, width}, generator, at::TensorOptions(at::kDouble));
}

// Vectors with a full covariance and a mean of their own.
at::Tensor skewed(int64_t rows, int64_t width, uint64_t seed) {
  return normal(rows, width, seed).mm(normal(width, width, seed + 1000)) +
         normal(1, width, seed + 2000);
}

FeatureStatistics statistics(const at::Tensor& features, int64_t batch = 64) {
  FeatureAccumulator accumulator;
  for (const at::Tensor& part : features.split(batch)) accumulator.add(part);
  return accumulator.finish();
}

FeatureStatistics gaussian(const at::Tensor& mean, const at::Tensor& covariance) {
  return {1000, mean, covariance, at::zeros({2, mean.size(0)})};
}

double distance(const FeatureStatistics& a, const FeatureStatistics& b) {
  return frechet_distance(a, b).value;
}

// The principal root of a matrix with positive eigenvalues, by Denman and Beavers' iteration.
at::Tensor brute_root(const at::Tensor& matrix) {
  at::Tensor y = matrix, z = at::eye(matrix.size(0), at::kDouble);
  for (int i = 0; i < 60; ++i) {
    const at::Tensor next = (y + at::linalg_inv(z)) / 2;
    z = (z + at::linalg_inv(y)) / 2;
    y = next;
  }
  return y;
}

TEST(FeatureAccumulator, GivesMeanAndUnbiasedCovariance) {
  const at::Tensor x = skewed(700, 5, 1);
  const FeatureStatistics s = statistics(x);
  EXPECT_EQ(s.count, 700);
  EXPECT_TRUE(at::allclose(s.mean, x.mean(0), 1e-12, 1e-12));
  const at::Tensor centred = x - x.mean(0);
  EXPECT_TRUE(at::allclose(s.covariance, centred.t().mm(centred) / 699, 1e-11, 1e-11));
}

TEST(FeatureAccumulator, GivesTheSameBitsForAnyBatchSize) {
  const at::Tensor x = skewed(1000, 6, 2);
  const FeatureStatistics whole = statistics(x, 1000);
  for (int64_t batch : {1, 7, 256, 257}) {
    const FeatureStatistics s = statistics(x, batch);
    EXPECT_TRUE(at::equal(s.mean, whole.mean)) << batch;
    EXPECT_TRUE(at::equal(s.covariance, whole.covariance)) << batch;
    EXPECT_TRUE(at::equal(s.sample, whole.sample)) << batch;
  }
}

// A mean a million times the deviation: the naive sum of squares would lose 12 of 16 digits.
TEST(FeatureAccumulator, DoesNotCancelFarFromZero) {
  const at::Tensor x = normal(3000, 3, 3);
  const FeatureStatistics near = statistics(x), far = statistics(x + 1e6);
  EXPECT_TRUE(at::allclose(far.covariance, near.covariance, 1e-8, 1e-8));
}

TEST(FeatureAccumulator, KeepsAUniformSample) {
  const int64_t n = 6000;
  const at::Tensor x = at::arange(n, at::kDouble).view({n, 1});
  const at::Tensor sample = statistics(x, 500).sample.view(-1);
  EXPECT_EQ(sample.size(0), 2048);
  EXPECT_EQ(std::get<0>(at::_unique2(sample)).size(0), 2048);
  // Mean of a sample without repetition: sd n / sqrt(12 * 2048) * sqrt(1 - 2048 / n).
  const double sd = static_cast<double>(n) / std::sqrt(12 * 2048.0) * std::sqrt(1 - 2048.0 / n);
  EXPECT_NEAR(sample.mean().item<double>(), (n - 1) / 2.0, 4 * sd);
}

TEST(FeatureAccumulator, RefusesWhatCannotBeMeasured) {
  FeatureAccumulator accumulator;
  EXPECT_THROW(accumulator.finish(), Error);
  accumulator.add(at::zeros({1, 3}));
  EXPECT_THROW(accumulator.finish(), Error);
  EXPECT_THROW(accumulator.add(at::zeros({1, 4})), Error);
  EXPECT_THROW(accumulator.add(at::full({1, 3}, std::numeric_limits<double>::infinity())), Error);
}

TEST(Frechet, ClosedFormOfDiagonalGaussians) {
  const at::Tensor m1 = at::tensor({1.0, 2.0, 3.0}), m2 = at::tensor({1.5, 2.0, 1.0});
  const at::Tensor v1 = at::tensor({4.0, 1.0, 0.25}), v2 = at::tensor({1.0, 9.0, 0.0});
  const double expected = 0.25 + 4 + (1 + 4 + 0.25);
  const auto to_double = [](const at::Tensor& t) { return t.to(at::kDouble); };
  const FeatureStatistics a = gaussian(to_double(m1), at::diag(to_double(v1)));
  const FeatureStatistics b = gaussian(to_double(m2), at::diag(to_double(v2)));
  EXPECT_NEAR(distance(a, b), expected, 1e-12);
  EXPECT_NEAR(distance(b, a), expected, 1e-12);
}

TEST(Frechet, AShiftAndAStretchOfTheSameVectors) {
  const at::Tensor x = skewed(500, 8, 4);
  const FeatureStatistics a = statistics(x);
  const at::Tensor shift = normal(1, 8, 5);
  EXPECT_NEAR(distance(a, a), 0, 1e-9);
  EXPECT_NEAR(distance(a, statistics(x + shift)), shift.pow(2).sum().item<double>(), 1e-9);
  const double stretched = a.mean.pow(2).sum().item<double>() + a.covariance.trace().item<double>();
  EXPECT_NEAR(distance(a, statistics(2 * x)), stretched, 1e-9);
}

TEST(Frechet, AgreesWithABruteForceRoot) {
  for (uint64_t seed : {10, 20, 30}) {
    const FeatureStatistics a = statistics(skewed(300, 5, seed));
    const FeatureStatistics b = statistics(skewed(200, 5, seed + 1));
    const at::Tensor product_root = brute_root(a.covariance.mm(b.covariance));
    const double expected = ((a.mean - b.mean).pow(2).sum() + a.covariance.trace() +
                             b.covariance.trace() - 2 * product_root.trace())
                                .item<double>();
    EXPECT_NEAR(distance(a, b), expected, 1e-8 * expected);
    EXPECT_NEAR(distance(b, a), expected, 1e-8 * expected);
  }
}

// Fewer vectors than dimensions: the trace of the root is the nuclear norm of the product of the
// centred data, which needs no covariance at all.
TEST(Frechet, WorksWithFewerVectorsThanDimensions) {
  const at::Tensor x = normal(20, 60, 6), y = 1.5 * normal(30, 60, 7) + 0.1;
  const at::Tensor xc = (x - x.mean(0)) / std::sqrt(19.0), yc = (y - y.mean(0)) / std::sqrt(29.0);
  const double nuclear = at::linalg_svdvals(xc.mm(yc.t())).sum().item<double>();
  const double expected =
      ((x.mean(0) - y.mean(0)).pow(2).sum() + xc.pow(2).sum() + yc.pow(2).sum()).item<double>() -
      2 * nuclear;
  const FrechetDistance d = frechet_distance(statistics(x), statistics(y));
  EXPECT_NEAR(d.value, expected, 1e-6 * expected);
  EXPECT_TRUE(std::isnan(d.error));
}

TEST(Frechet, DoesNotDependOnTheOrder) {
  const at::Tensor x = skewed(600, 6, 8), y = skewed(600, 6, 9);
  const double straight = distance(statistics(x), statistics(y));
  const double turned = distance(statistics(x.flip(0)), statistics(y.flip(0)));
  EXPECT_NEAR(turned, straight, 1e-9 * straight);
}

TEST(Frechet, RefusesDifferentWidths) {
  EXPECT_THROW(frechet_distance(statistics(normal(9, 2, 1)), statistics(normal(9, 3, 1))), Error);
}

// The stated error is the spread that repeating the whole experiment has.
TEST(Frechet, TheErrorIsTheSpreadOfRepetitions) {
  for (double shift : {0.0, 0.5}) {
    constexpr int kTimes = 200;
    double sum = 0, squares = 0, error = 0;
    const at::Tensor scale = at::tensor({1.0, 1.5, 0.7, 1.0, 2.0}, at::kDouble);
    for (int i = 0; i < kTimes; ++i) {
      const auto seed = static_cast<uint64_t>(10000 + 2 * i);
      const FrechetDistance d = frechet_distance(
          statistics(normal(300, 5, seed)), statistics(normal(200, 5, seed + 1) * scale + shift));
      sum += d.value;
      squares += d.value * d.value;
      error += d.error / kTimes;
    }
    const double spread = std::sqrt((squares - sum * sum / kTimes) / (kTimes - 1));
    EXPECT_NEAR(error / spread, 1, 0.15) << "shift " << shift << ", spread " << spread;
  }
}

}  // namespace
}  // namespace vq
