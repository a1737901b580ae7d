#include "lib/diffusion/posterior.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "lib/random.h"
#include "tests/unit/brute_force.h"

namespace vq {
namespace {

// A guess of x_0 over k tokens, different for every `number`; sometimes with zeros.
std::vector<double> some_guess(int k, int number) {
  std::vector<double> p;
  double sum = 0;
  for (int j = 0; j < k; ++j) {
    const Pair u = uniform_pair(7, Purpose::boot,
                                {static_cast<uint64_t>(number), 0, static_cast<uint32_t>(j)});
    p.push_back(number % 3 == 2 && u.second < 0.4 && j > 0 ? 0 : -std::log(u.first));
    sum += p.back();
  }
  for (double& value : p) value /= sum;
  return p;
}

at::Tensor row(const std::vector<double>& p) { return at::tensor(p, at::kDouble).unsqueeze(0); }

std::vector<double> numbers(const at::Tensor& t) {
  const at::Tensor flat = t.to(at::kDouble).contiguous().flatten();
  return {flat.data_ptr<double>(), flat.data_ptr<double>() + flat.numel()};
}

// Law 1: every pair s < t, every x_t, every schedule.
TEST(Posterior, EqualsBayesOverTheMatrices) {
  for (const std::string& name : Schedule::names()) {
    for (const int k : {3, 5}) {
      const int steps = 8;
      const Schedule schedule = Schedule::make(name, steps, k);
      // Nothing is ever replaced: a token that is there is right, which Bayes cannot say (0 / 0).
      const bool absorbing = schedule.between(1, 2).beta_bar_t <= 0;
      for (int s = 0; s < steps; ++s) {
        for (int t = s + 1; t <= steps; ++t) {
          for (int x_t = absorbing ? k : 0; x_t <= k; ++x_t) {
            const auto guess = some_guess(k, s * 64 + t * 8 + x_t);
            const at::Tensor ours = log_posterior(schedule.between(s, t), row(guess).log(),
                                                  at::tensor({x_t}, at::kLong));
            const auto got = numbers(ours.exp());
            const auto want = testing::bayes_mixture(schedule, s, t, x_t, guess);
            double sum = 0;
            for (int j = 0; j <= k; ++j) {
              ASSERT_NEAR(got[j], want[j], 1e-9)
                  << name << " K " << k << " " << s << " < " << t << " x_t " << x_t;
              sum += got[j];
            }
            ASSERT_NEAR(sum, 1, 1e-9);
          }
        }
      }
    }
  }
}

// Law 2 (Lemma 1): whether a masked position stays does not depend on the guess.
TEST(Posterior, StayingMaskedDoesNotDependOnTheGuess) {
  const Schedule schedule = Schedule::make("replace", 20, 6);
  for (int number = 0; number < 50; ++number) {
    const Transition q = schedule.between(number % 10, 11 + number % 9);
    const at::Tensor log_q =
        log_posterior(q, row(some_guess(6, number)).log(), at::tensor({6}, at::kLong));
    EXPECT_NEAR(numbers(log_q.exp())[6], q.gamma_bar_s / q.gamma_bar_t, 1e-12);
  }
}

// The tokens' own numbers at t = 99, 50, 1, 0 (counted from zero) for K = 4, T = 100, p = (.1, .2,
// .3, .4).
TEST(Posterior, ReproducesTheReleasedArithmetic) {
  const Schedule schedule = Schedule::make("linear", 100, 4);
  const at::Tensor log_p = row({0.1, 0.2, 0.3, 0.4}).log();
  const auto at_time = [&](int index, int x_t) {
    return numbers(
        log_posterior(schedule.between(index, index + 1), log_p, at::tensor({x_t}, at::kLong))
            .exp());
  };
  const auto expect = [](const std::vector<double>& got, const std::vector<double>& want) {
    for (size_t j = 0; j < want.size(); ++j) EXPECT_NEAR(got[j] / want[j], 1, 2e-8) << j;
  };
  expect(at_time(99, 4), {.00101024177, .00202023379, .00303022581, .00404021782, .989899081});
  expect(at_time(50, 4), {.0019999703, .0039999307, .0059998911, .0079998515, .980000356});
  expect(at_time(1, 4), {.0999111275, .199822005, .299732883, .399643761, .000890223725});
  expect(at_time(0, 4), {.1, .2, .3, .4});
  expect(at_time(99, 1), {.0999209928, .200731542, .299723185, .399624281});
  expect(at_time(50, 1), {.00199996831, .984000293, .00599988909, .00799984948});
  expect(at_time(1, 1), {.00101009293, .991919267, .00303027476, .00404036567});
  expect(at_time(0, 1), {.1, .2, .3, .4});
}

// A token that the guess gives no weight is redrawn with probability 1 - alpha of the step, counted
// from zero.
TEST(Posterior, RedrawsUnlikelyTokensAsOftenAsTheReleasedArithmetic) {
  const Schedule schedule = Schedule::make("linear", 100, 4);
  const double redrawn[][2] = {{1, .010}, {50, .020}, {97, .333}, {99, .999}};
  for (const auto& [index, chance] : redrawn) {
    const Transition q = schedule.between(index, index + 1);
    const auto got =
        numbers(log_posterior(q, row({0, .2, .3, .5}).log(), at::tensor({0}, at::kLong)).exp());
    EXPECT_NEAR(1 - got[0], chance, 6e-4) << index;
    EXPECT_NEAR(1 - got[0], largest_change(q), 1e-9) << index;
  }
}

TEST(Posterior, LargestChangeIsABoundAndIsReached) {
  for (const std::string& name :
       {std::string("linear"), std::string("replace"), std::string("cosine")}) {
    const int k = 5;
    const Schedule schedule = Schedule::make(name, 10, k);
    for (int s = 0; s < 10; ++s) {
      const Transition q = schedule.between(s, std::min(10, s + 3));
      const double bound = largest_change(q);
      double most = 0;
      for (int number = 0; number < 60; ++number) {
        auto guess = some_guess(k, number);
        if (number % 4 == 0)
          guess = {0, 0.25, 0.25, 0.25, 0.25};  // no weight at all on the token that is there
        if (number % 4 == 1) guess = {1, 0, 0, 0, 0};
        const at::Tensor log_q = log_posterior(q, row(guess).log(), at::tensor({0}, at::kLong));
        const double change = 1 - numbers(log_q.exp())[0];
        EXPECT_LE(change, bound + 1e-9) << name << " " << s;
        most = std::max(most, change);
      }
      EXPECT_NEAR(most, bound, 1e-9) << name << " " << s;
    }
  }
}

// Drawing by thinning gives the distribution of the table.
TEST(Posterior, DrawsFollowTheTable) {
  const int k = 4;
  const int64_t draws = 40000;
  for (const std::string& name :
       {std::string("linear"), std::string("replace"), std::string("arccos")}) {
    const Schedule schedule = Schedule::make(name, 10, k);
    for (const auto& [s, t] : {std::pair{0, 1}, {2, 5}, {0, 7}, {6, 10}}) {
      const Transition q = schedule.between(s, t);
      for (int x_t = 0; x_t <= k; x_t += 2) {
        const auto guess = some_guess(k, s + t);
        const UniformGrid noise = uniform_grid(
            11, Purpose::sample, {static_cast<uint64_t>(s * 100 + t * 10 + x_t)}, 0, draws);
        const at::Tensor first = noise.first[0], second = noise.second[0];
        const at::Tensor x = at::full({draws}, x_t, at::kLong);
        const at::Tensor chosen = may_change(q, x.eq(k), first).nonzero().squeeze(1);
        at::Tensor result = x.clone();
        if (chosen.numel() > 0) {
          const at::Tensor p = row(guess).expand({chosen.numel(), k});
          result.index_copy_(
              0, chosen,
              draw_posterior(q, p, x.index_select(0, chosen), first.index_select(0, chosen),
                             second.index_select(0, chosen)));
        }
        const auto want =
            numbers(log_posterior(q, row(guess).log(), at::tensor({x_t}, at::kLong)).exp());
        const auto counts = numbers(at::bincount(result, {}, k + 1));
        EXPECT_TRUE(testing::chi_square(counts, want).plausible())
            << name << " " << s << " < " << t << " x_t " << x_t << " statistic "
            << testing::chi_square(counts, want).statistic;
      }
    }
  }
}

// Half-precision guesses take the way of other devices, in whole tensors; the same numbers in
// single precision go row by row.
TEST(Posterior, RowByRowAndInWholeTheSameTokensComeOut) {
  const int64_t k = 50, rows = 3000;
  const UniformGrid noise = uniform_grid(12, Purpose::sample, {0}, 0, rows);
  const at::Tensor first = noise.first[0], second = noise.second[0];
  const at::Tensor x_t = at::arange(rows, at::kLong).remainder(k + 1);
  at::Tensor p = at::empty({rows, k}, at::kDouble);
  for (int64_t n = 0; n < rows; ++n) p[n].copy_(row(some_guess(k, static_cast<int>(n)))[0]);
  p[0].zero_()[0].fill_(1);  // sure of the token that is there
  const at::Tensor half = p.to(at::kHalf);
  for (const std::string& name : Schedule::names()) {
    const Schedule schedule = Schedule::make(name, 10, k);
    for (const auto& [s, t] : {std::pair{0, 1}, {4, 5}, {0, 10}, {6, 10}}) {
      const Transition q = schedule.between(s, t);
      EXPECT_TRUE(at::equal(draw_posterior(q, half, x_t, first, second),
                            draw_posterior(q, half.to(at::kFloat), x_t, first, second)))
          << name << " " << s << " < " << t;
    }
  }
  EXPECT_TRUE(at::equal(draw_tokens(half, second), draw_tokens(half.to(at::kFloat), second)));
}

TEST(DrawTokens, RareTokensComeOutAsOftenAsTheyShould) {
  const at::Tensor weights = at::tensor({0.0, 1e-9, 1 - 1e-9, 0.0}, at::kDouble).unsqueeze(0);
  const auto draw = [&](double u) {
    return draw_tokens(weights, at::tensor({u}, at::kDouble)).item<int64_t>();
  };
  EXPECT_EQ(draw(0.5e-9), 1);
  EXPECT_EQ(draw(1.0001e-9), 2);
  EXPECT_EQ(draw(1e-16), 1);          // the first token has no weight
  EXPECT_EQ(draw(1 - 0x1.0p-53), 2);  // nor has the last
}

}  // namespace
}  // namespace vq
