#include "lib/diffusion/loss.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "formats/error.h"
#include "lib/random.h"
#include "tests/unit/brute_force.h"

namespace vq {
namespace {

std::vector<double> some_guess(int k, int number) {
  std::vector<double> p;
  double sum = 0;
  for (int j = 0; j < k; ++j) {
    p.push_back(-std::log(
        uniform(5, Purpose::boot, {static_cast<uint64_t>(number), 0, static_cast<uint32_t>(j)})));
    sum += p.back();
  }
  for (double& value : p) value /= sum;
  return p;
}

double brute_term(const Schedule& schedule, int t, int x_t, int x_0,
                  const std::vector<double>& guess) {
  if (t == 1) return -std::log(guess[x_0]);
  const auto truth = testing::bayes_posterior(schedule, t - 1, t, x_t, x_0);
  const auto model = testing::bayes_mixture(schedule, t - 1, t, x_t, guess);
  double kl = 0;
  for (size_t j = 0; j < truth.size(); ++j) {
    if (truth[j] > 0) kl += truth[j] * std::log(truth[j] / model[j]);
  }
  return kl;
}

at::Tensor one_term(const Schedule& schedule, const std::vector<double>& guess, int x_0, int x_t,
                    int t) {
  const at::Tensor log_x0 = at::tensor(guess, at::kDouble).log().view({1, 1, -1});
  return bound_terms(schedule, log_x0, at::full({1, 1}, x_0, at::kLong),
                     at::full({1, 1}, x_t, at::kLong), {t});
}

TEST(Bound, EqualsBruteForceForEveryTerm) {
  for (const std::string& name : Schedule::names()) {
    for (const int k : {3, 5}) {
      const Schedule schedule = Schedule::make(name, 8, k);
      const bool absorbing = schedule.between(1, 2).beta_bar_t <= 0;
      for (int t = 1; t <= 8; ++t) {
        for (int x_0 = 0; x_0 < k; ++x_0) {
          for (int x_t = 0; x_t <= k; ++x_t) {
            if (absorbing && x_t != x_0 && x_t != k) continue;  // cannot happen
            const auto guess = some_guess(k, t * 100 + x_0 * 10 + x_t);
            const double got = one_term(schedule, guess, x_0, x_t, t).item<double>();
            const double want =
                absorbing && x_t != k && t > 1 ? 0 : brute_term(schedule, t, x_t, x_0, guess);
            ASSERT_NEAR(got, want, 1e-9 + 1e-7 * std::abs(want))
                << name << " K " << k << " t " << t << " x_0 " << x_0 << " x_t " << x_t;
          }
        }
      }
    }
  }
}

// K = 4, T = 100, p = (.1, .2, .3, .4), x_0 = 2, the 51st step.
TEST(Bound, ReproducesTheReleasedArithmetic) {
  const Schedule schedule = Schedule::make("linear", 100, 4);
  const std::vector<double> p = {0.1, 0.2, 0.3, 0.4};
  EXPECT_NEAR(one_term(schedule, p, 2, 4, 51).item<double>(), .0240785847, 1e-9);
  EXPECT_NEAR(one_term(schedule, p, 2, 2, 51).item<double>(), .0140986643, 1e-9);
  EXPECT_NEAR(one_term(schedule, p, 2, 1, 51).item<double>(), .0200869331, 1e-9);
  EXPECT_NEAR(one_term(schedule, p, 2, 4, 1).item<double>(), 1.2039728, 1e-7);
}

TEST(Bound, MixedBatchesAndSinglePrecisionAgree) {
  const int k = 7;
  const Schedule schedule = Schedule::make("linear", 20, k);
  const std::vector<int> times = {1, 2, 9, 20};
  const int64_t length = 6;
  at::Tensor log_x0 = at::empty({4, length, k}, at::kDouble),
             x_0 = at::empty({4, length}, at::kLong), x_t = x_0.clone();
  for (int b = 0; b < 4; ++b) {
    for (int l = 0; l < length; ++l) {
      log_x0[b][l] = at::tensor(some_guess(k, b * 10 + l), at::kDouble).log();
      x_0[b][l] = (b + l) % k;
      x_t[b][l] = l % 2 == 0 ? k : (b + l + l / 3) % k;
    }
  }
  const at::Tensor exact = bound_terms(schedule, log_x0, x_0, x_t, times);
  const at::Tensor single = bound_terms(schedule, log_x0.to(at::kFloat), x_0, x_t, times);
  EXPECT_TRUE(at::allclose(single.to(at::kDouble), exact, 1e-4, 1e-6)) << (single - exact);
  for (int b = 0; b < 4; ++b) {
    const at::Tensor alone = bound_terms(schedule, log_x0.narrow(0, b, 1), x_0.narrow(0, b, 1),
                                         x_t.narrow(0, b, 1), {times[b]});
    EXPECT_TRUE(at::allclose(alone[0], exact[b], 1e-12, 1e-12));
  }
}

TEST(Loss, GradientIsFiniteAndPointsToTheRightToken) {
  const int k = 5;
  const Schedule schedule = Schedule::make("linear", 10, k);
  at::Tensor logits = at::zeros({2, 3, k}, at::kFloat).set_requires_grad(true);
  const at::Tensor x_0 = at::tensor({0, 1, 2, 3, 4, 0}, at::kLong).view({2, 3});
  const at::Tensor x_t = at::tensor({5, 1, 5, 5, 0, 0}, at::kLong).view({2, 3});
  const Loss loss =
      diffusion_loss(schedule, {}, at::log_softmax(logits, -1), x_0, x_t, {1, 7}, {0.1, 0.1});
  loss.total.backward();
  EXPECT_TRUE(at::isfinite(logits.grad()).all().item<bool>());
  EXPECT_TRUE(logits.grad().argmin(-1).eq(x_0).all().item<bool>());
}

TEST(Loss, TotalIsTheReleasedSum) {
  const int k = 4;
  const Schedule schedule = Schedule::make("linear", 100, k);
  const at::Tensor log_x0 = at::tensor({0.1, 0.2, 0.3, 0.4}, at::kDouble).log().view({1, 1, k});
  const at::Tensor x_0 = at::full({1, 1}, 2, at::kLong), x_t = at::full({1, 1}, k, at::kLong);
  LossOptions options;
  options.auxiliary_weight = 0.01, options.mask_weight = 0.5;
  const Loss loss = diffusion_loss(schedule, options, log_x0, x_0, x_t, {51}, {0.02});
  const double auxiliary = 0.5 * 1.2039728 * 0.01 * (2 - 50 / 100.0);
  EXPECT_NEAR(loss.total.item<double>(), (0.5 * .0240785847 + auxiliary) / 0.02, 1e-7);
  EXPECT_NEAR(loss.x0.item<double>(), 1.2039728, 1e-7);
  EXPECT_EQ(loss.accuracy.item<double>(), 0);
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
  std::vector<double> uniforms;
  for (uint64_t i = 0; i < 20000; ++i) uniforms.push_back(uniform(1, Purpose::timestep, {i, 0, 0}));
  std::vector<double> counts(3, 0);
  for (const int t : sampler.draw(uniforms)) ++counts.at(t - 1);
  const std::vector<double> shares = {sampler.probability(1), sampler.probability(2),
                                      sampler.probability(3)};
  EXPECT_TRUE(testing::chi_square(counts, shares).plausible());
  EXPECT_THROW(TimestepSampler("importnace", 3), Error);
}

}  // namespace
}  // namespace vq
