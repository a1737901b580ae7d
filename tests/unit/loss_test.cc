#include "lib/diffusion/loss.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "lib/diffusion/corrupt.h"
#include "lib/diffusion/timesteps.h"
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

TEST(Loss, WeightsOfPositionsStayOutOfTheBound) {
  const int k = 4;
  const Schedule schedule = Schedule::make("linear", 100, k);
  const at::Tensor log_x0 = at::tensor({0.1, 0.2, 0.3, 0.4}, at::kDouble).log().expand({2, 2, k});
  const at::Tensor x_0 = at::tensor({2, 0, 1, 3}, at::kLong).view({2, 2});
  const at::Tensor x_t = at::tensor({4, 0, 4, 4}, at::kLong).view({2, 2});
  LossOptions options;
  options.auxiliary_weight = 0, options.mask_weight = 3;
  const std::vector<int> times = {51, 20};
  const std::vector<double> pt = {0.02, 0.01};
  const Loss loss = diffusion_loss(schedule, options, log_x0, x_0, x_t, times, pt);
  const at::Tensor terms = bound_terms(schedule, log_x0, x_0, x_t, times);
  EXPECT_TRUE(at::allclose(loss.bound, terms.sum(1), 1e-12, 1e-15));
  const at::Tensor weight = at::tensor({3.0, 1.0, 3.0, 3.0}, at::kDouble).view({2, 2});
  EXPECT_TRUE(at::allclose(loss.weighed, (terms * weight).sum(1), 1e-12, 1e-15));
  const double want = (loss.weighed / at::tensor(pt, at::kDouble)).sum().item<double>() / 4;
  EXPECT_NEAR(loss.total.item<double>(), want, 1e-12);
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

// What a network might say of a grid of three tokens: for each of the eight ways of hiding some of
// them, a guess of each hidden one. A token in sight is sure in the discrete bound; in the masked
// loss it may be anything.
class KnownGuess {
 public:
  static constexpr int kCodes = 3, kLength = 3, kPatterns = 8;

  // (N, L, K) double for rows x_t (N, L).
  static at::Tensor log_x0(const at::Tensor& x_t, bool sure_in_sight) {
    at::Tensor result = at::empty({x_t.size(0), kLength, kCodes}, at::kDouble);
    for (int64_t b = 0; b < x_t.size(0); ++b) {
      for (int64_t l = 0; l < kLength; ++l) {
        const bool hidden = x_t[b][l].item<int64_t>() == kCodes;
        result[b][l] = at::tensor(some_guess(kCodes, pattern_of(x_t[b]) * 10 + static_cast<int>(l)),
                                  at::kDouble)
                           .log();
        if (hidden || !sure_in_sight) continue;
        result[b][l].fill_(-700);
        result[b][l][x_t[b][l].item<int64_t>()] = 0;
      }
    }
    return result;
  }

  static at::Tensor x_0(int64_t rows) { return at::tensor({0, 2, 1}, at::kLong).repeat({rows, 1}); }

  static at::Tensor x_t(int pattern) {
    at::Tensor x = x_0(1);
    for (int l = 0; l < kLength; ++l) {
      if (pattern >> l & 1) x[0][l] = kCodes;
    }
    return x;
  }

  static int pattern_of(const at::Tensor& row) {
    int pattern = 0;
    for (int l = 0; l < kLength; ++l) pattern |= (row[l].item<int64_t>() == kCodes) << l;
    return pattern;
  }

  static int hidden(int pattern) { return __builtin_popcount(static_cast<unsigned>(pattern)); }

  // The bound in nats: sum over patterns of -log p times the integral of gamma^(m-1)
  // (1-gamma)^(3-m) over gamma from 0 to `last`, which is a polynomial.
  static double bound(double last) {
    const double c = last, integral[] = {0, c - c * c + c * c * c / 3, c * c / 2 - c * c * c / 3,
                                         c * c * c / 3};
    double sum = 0;
    for (int pattern = 1; pattern < kPatterns; ++pattern) {
      const at::Tensor x = x_t(pattern);
      const at::Tensor terms = -log_x0(x, true).gather(2, x_0(1).unsqueeze(2));
      sum += terms.sum().item<double>() * integral[hidden(pattern)];
    }
    return sum;
  }
};

double chance(int pattern, double gamma) {
  const int m = KnownGuess::hidden(pattern);
  return std::pow(gamma, m) * std::pow(1 - gamma, KnownGuess::kLength - m);
}

// The mean over masks by listing them all, the integral over t by the midpoint rule on each
// straight piece of gamma_bar.
double integral_of_masked_loss(const Schedule& schedule, int points) {
  double sum = 0;
  for (int pattern = 0; pattern < KnownGuess::kPatterns; ++pattern) {
    std::vector<double> times, chances;
    for (int i = 0; i < schedule.timesteps() * points; ++i) {
      times.push_back((i + 0.5) / points);
      chances.push_back(chance(pattern, schedule.gamma_bar(times.back())));
    }
    const auto n = static_cast<int64_t>(times.size());
    const at::Tensor x_t = KnownGuess::x_t(pattern);
    const at::Tensor log_x0 = KnownGuess::log_x0(x_t, false).expand({n, -1, -1});
    const Loss loss = masked_loss(schedule, log_x0, KnownGuess::x_0(n), x_t.expand({n, -1}), times,
                                  std::vector<double>(times.size(), 1));
    sum += (loss.bound * at::tensor(chances, at::kDouble)).sum().item<double>() / points;
  }
  return sum;
}

TEST(MaskedLoss, IntegralOverTimeIsTheBoundWhateverTheSchedule) {
  for (const char* name : {"cosine", "arccos", "linear"}) {
    const Schedule schedule = Schedule::make(name, 5, KnownGuess::kCodes).without_replacement();
    const double want = KnownGuess::bound(schedule.gamma_bar(5));
    EXPECT_NEAR(integral_of_masked_loss(schedule, 200), want, 1e-5 * want) << name;
  }
}

TEST(MaskedLoss, IsTheLimitOfTheDiscreteBound) {
  const double want = KnownGuess::bound(0.99999);
  double last_gap = want;
  for (const int steps : {10, 100, 1000}) {
    const Schedule schedule = Schedule::make("cosine", steps, KnownGuess::kCodes);
    double sum = 0;
    for (int pattern = 0; pattern < KnownGuess::kPatterns; ++pattern) {
      std::vector<int> times;
      std::vector<double> chances;
      for (int t = 1; t <= steps; ++t) {
        times.push_back(t), chances.push_back(chance(pattern, schedule.gamma_bar(t)));
      }
      const at::Tensor x_t = KnownGuess::x_t(pattern);
      const at::Tensor log_x0 = KnownGuess::log_x0(x_t, true).repeat({steps, 1, 1});
      const at::Tensor terms =
          bound_terms(schedule, log_x0, KnownGuess::x_0(steps), x_t.repeat({steps, 1}), times);
      sum += (terms.sum(1) * at::tensor(chances, at::kDouble)).sum().item<double>();
    }
    const double gap = std::abs(sum - want);
    EXPECT_LT(gap, last_gap / 5) << steps << " steps";
    last_gap = gap;
  }
  EXPECT_LT(last_gap, 2e-3 * want);
}

// As training does it: t drawn in every way, masks drawn, the mean of `total` against the bound.
TEST(MaskedLoss, MeanOfTotalIsTheBoundATokenHoweverTimesAreDrawn) {
  const Schedule schedule = Schedule::make("cosine", 5, KnownGuess::kCodes);
  const double want = KnownGuess::bound(schedule.gamma_bar(5)) / KnownGuess::kLength;
  const int64_t rows = 100000;
  std::vector<double> uniforms;
  std::vector<uint64_t> records;
  for (uint64_t i = 0; i < rows; ++i) {
    uniforms.push_back(uniform(7, Purpose::timestep, {i, 0, 0})), records.push_back(i);
  }
  std::vector<at::Tensor> guesses;
  for (int pattern = 0; pattern < KnownGuess::kPatterns; ++pattern) {
    guesses.push_back(KnownGuess::log_x0(KnownGuess::x_t(pattern), false)[0]);
  }
  const at::Tensor table = at::stack(guesses), x_0 = KnownGuess::x_0(rows);
  const UniformGrid noise = uniform_grid(7, Purpose::corrupt, records, 0, KnownGuess::kLength);
  for (const char* method : {"importance", "uniform", "stratified"}) {
    TimestepSampler sampler(method, 5);
    for (int i = 0; i < 12; ++i) sampler.update({1, 2, 3, 4, 5}, {1, 2, 3, 1, 2});
    const std::vector<double> times = sampler.draw_real(uniforms);
    const std::vector<int> steps = sampler.draw(uniforms);
    std::vector<double> pt;
    for (const int step : steps) pt.push_back(sampler.probability(step));
    const at::Tensor x_t = mask_tokens(schedule, x_0, times, noise);
    const at::Tensor bits = at::tensor({1, 2, 4}, at::kLong);
    const at::Tensor pattern = (x_t.eq(KnownGuess::kCodes) * bits).sum(1);
    const Loss loss = masked_loss(schedule, table.index_select(0, pattern), x_0, x_t, times, pt);
    const at::Tensor each = loss.bound / at::tensor(pt, at::kDouble) / KnownGuess::kLength;
    EXPECT_NEAR(loss.total.item<double>(), each.mean().item<double>(), 1e-9);
    const double error = each.std().item<double>() / std::sqrt(static_cast<double>(rows));
    EXPECT_NEAR(loss.total.item<double>(), want, 4 * error) << method;
    EXPECT_LT(error, 0.02 * want);

    // And what the log calls vlb.
    TimestepSampler fresh(method, 5);
    const at::Tensor bounds = loss.bound.contiguous();
    fresh.update(steps, {bounds.data_ptr<double>(), bounds.data_ptr<double>() + rows});
    EXPECT_NEAR(fresh.expected_bound() / KnownGuess::kLength, want, 0.03 * want) << method;
  }
}

TEST(MaskedLoss, CountsNothingWhereNothingIsHidden) {
  const Schedule schedule = Schedule::make("cosine", 10, 3);
  at::Tensor logits = at::zeros({2, 2, 3}, at::kFloat).set_requires_grad(true);
  const at::Tensor x_0 = at::tensor({0, 1, 2, 0}, at::kLong).view({2, 2});
  const at::Tensor x_t = at::tensor({0, 1, 3, 0}, at::kLong).view({2, 2});
  const Loss loss =
      masked_loss(schedule, at::log_softmax(logits, -1), x_0, x_t, {0.5, 2.5}, {.1, .1});
  loss.total.backward();
  EXPECT_EQ(loss.bound[0].item<float>(), 0);
  EXPECT_TRUE(std::isnan(loss.x0[0].item<float>()));
  EXPECT_NEAR(loss.x0[1].item<float>(), std::log(3), 1e-6);
  const at::Tensor touched = logits.grad().abs().sum(2).gt(0);
  EXPECT_TRUE(at::equal(touched, x_t.eq(3)));
  EXPECT_EQ(logits.grad()[1][0].argmin().item<int64_t>(), 2);
}

}  // namespace
}  // namespace vq
