#include "lib/diffusion/timesteps.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "formats/error.h"
#include "lib/random.h"
#include "tests/unit/brute_force.h"

namespace vq {
namespace {

std::vector<double> some_uniforms(size_t count, uint64_t seed = 1) {
  std::vector<double> list;
  for (uint64_t i = 0; i < count; ++i) list.push_back(uniform(seed, Purpose::timestep, {i, 0, 0}));
  return list;
}

TEST(TimestepSampler, IsUniformUntilEveryTimeWasSeen) {
  TimestepSampler sampler("importance", 4);
  for (int i = 0; i < 30; ++i) sampler.update({1, 2, 3}, {1, 2, 3});
  EXPECT_EQ(sampler.probability(4), 0.25);
  EXPECT_TRUE(std::isnan(sampler.expected_bound()));
  for (int i = 0; i < 11; ++i) sampler.update({4}, {9});
  EXPECT_GT(sampler.probability(4), sampler.probability(3));
  EXPECT_EQ(sampler.probability(1), sampler.probability(2));  // the first borrows from the second
  EXPECT_NEAR(sampler.expected_bound(), 1 + 2 + 3 + 9, 1e-9);
  double sum = 0;
  for (int t = 1; t <= 4; ++t) sum += sampler.probability(t);
  EXPECT_NEAR(sum, 1, 1e-12);
}

TEST(TimestepSampler, DuplicatesCountAsTheirMeanInAnyOrder) {
  TimestepSampler one("importance", 2), other("importance", 2);
  for (int i = 0; i < 12; ++i) {
    one.update({1, 2, 2, 2}, {1, 3, 5, 10});
    other.update({2, 2, 1, 2}, {10, 3, 1, 5});
  }
  EXPECT_EQ(one.probability(2), other.probability(2));
  EXPECT_NEAR(one.expected_bound(), 1 + 6, 1e-9);
}

TEST(TimestepSampler, DrawsWithItsProbabilities) {
  TimestepSampler sampler("importance", 3);
  for (int i = 0; i < 12; ++i) sampler.update({1, 2, 3}, {1, 2, 4});
  std::vector<double> counts(3, 0);
  for (const int t : sampler.draw(some_uniforms(20000))) ++counts.at(t - 1);
  const std::vector<double> shares = {sampler.probability(1), sampler.probability(2),
                                      sampler.probability(3)};
  EXPECT_TRUE(testing::chi_square(counts, shares).plausible());
  EXPECT_THROW(TimestepSampler("importnace", 3), Error);
}

// The real times of a step fill it evenly, and lie in the step that draw() says.
TEST(TimestepSampler, RealTimesAreEvenWithinTheirSteps) {
  for (const char* method : {"importance", "uniform", "stratified"}) {
    TimestepSampler sampler(method, 3);
    for (int i = 0; i < 12; ++i) sampler.update({1, 2, 3}, {1, 2, 4});
    const std::vector<double> uniforms = some_uniforms(20000);
    const std::vector<double> times = sampler.draw_real(uniforms);
    const std::vector<int> steps = sampler.draw(uniforms);
    std::vector<double> counts(12, 0), shares(12);
    for (size_t i = 0; i < times.size(); ++i) {
      ASSERT_GT(times[i], steps[i] - 1);
      ASSERT_LE(times[i], steps[i]);
      ++counts.at(static_cast<size_t>(std::ceil(times[i] * 4)) - 1);
    }
    for (int i = 0; i < 12; ++i) shares[i] = sampler.probability(i / 4 + 1) / 4;
    EXPECT_TRUE(testing::chi_square(counts, shares).plausible()) << method;
  }
}

TEST(TimestepSampler, AStratifiedBatchOfAllStepsHasEachOnce) {
  for (const int steps : {1, 7, 49, 100}) {
    const TimestepSampler sampler("stratified", steps);
    for (uint64_t seed = 0; seed < 50; ++seed) {
      std::vector<int> counts(steps, 0);
      for (const int t : sampler.draw(some_uniforms(steps, seed))) ++counts.at(t - 1);
      EXPECT_EQ(counts, std::vector<int>(steps, 1)) << steps << " steps, seed " << seed;
    }
  }
}

// Smaller and larger batches: any stretch of a steps of T holds a B / T records, to the nearest
// whole one.
TEST(TimestepSampler, AStratifiedBatchIsEven) {
  const int steps = 20;
  const TimestepSampler sampler("stratified", steps);
  for (const int batch : {3, 8, 50}) {
    for (uint64_t seed = 0; seed < 20; ++seed) {
      const std::vector<int> times = sampler.draw(some_uniforms(batch, seed));
      for (int to = 1; to <= steps; ++to) {
        const auto count =
            std::count_if(times.begin(), times.end(), [&](int t) { return t <= to; });
        EXPECT_LT(std::abs(static_cast<double>(count) - 1.0 * to * batch / steps), 1);
      }
    }
  }
}

TEST(TimestepSampler, EachRecordOfAStratifiedBatchIsUniform) {
  const TimestepSampler sampler("stratified", 5);
  const size_t batch = 3;
  std::vector<std::vector<double>> counts(batch, std::vector<double>(5, 0));
  for (uint64_t seed = 0; seed < 5000; ++seed) {
    const std::vector<int> times = sampler.draw(some_uniforms(batch, seed));
    for (size_t i = 0; i < batch; ++i) ++counts[i].at(times[i] - 1);
  }
  for (size_t i = 0; i < batch; ++i) {
    EXPECT_TRUE(testing::chi_square(counts[i], std::vector<double>(5, 0.2)).plausible()) << i;
  }
}

TEST(TimestepSampler, OnlyImportanceLeavesTheUniform) {
  for (const char* method : {"uniform", "stratified"}) {
    TimestepSampler sampler(method, 2);
    for (int i = 0; i < 12; ++i) sampler.update({1, 2}, {1, 5});
    EXPECT_EQ(sampler.probability(2), 0.5) << method;
    EXPECT_NEAR(sampler.expected_bound(), 6, 1e-9);
  }
}

// The chances go by what the loss weighs, the bound by what it is.
TEST(TimestepSampler, KeepsWeightsOutOfTheBound) {
  TimestepSampler plain("importance", 3), weighed("importance", 3);
  for (int i = 0; i < 12; ++i) {
    plain.update({1, 2, 3}, {2, 4, 8});
    weighed.update({1, 2, 3}, {1, 1, 1}, {2, 4, 8});
  }
  EXPECT_EQ(weighed.probability(3), plain.probability(3));
  EXPECT_NEAR(weighed.expected_bound(), 3, 1e-9);
}

}  // namespace
}  // namespace vq
