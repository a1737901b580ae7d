#include "lib/scoring/bits.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <numbers>
#include <set>

#include "tests/unit/brute_force.h"
#include "tests/unit/temp_folder.h"
#include "tests/unit/tiny_model.h"
#include "tests/unit/tiny_set.h"

namespace vq {
namespace {

using testing::Matrix;
using testing::random_set;
using testing::set_of;
using testing::tiny_config;
using testing::tiny_model;

constexpr int kCodes = 3, kLength = 2;  // what is enumerated: 16 grids with [mask]

void know_nothing(DiffusionModel& model) {
  for (const auto& entry : model.parameters().entries()) {
    if (entry.name.starts_with("head.linear")) at::Tensor(entry.tensor).zero_();
  }
}

bool only_masks(const Schedule& schedule) { return schedule.between(0, 1).beta_bar_t <= 0; }

// KL of two distributions; where p is nought q may be anything, not-a-number included.
double divergence(const std::vector<double>& p, const std::vector<double>& q) {
  double sum = 0;
  for (size_t i = 0; i < p.size(); ++i) {
    if (p[i] > 0) sum += p[i] * std::log(p[i] / q[i]);
  }
  return sum;
}

// The first term, from the matrices: all steps to T of a token, against the chain's start.
double brute_prior(const Schedule& schedule) {
  const int k = schedule.codebook_size();
  const Matrix all = testing::steps_between(schedule, 0, schedule.timesteps());
  std::vector<double> end, start;
  for (int to = 0; to <= k; ++to) end.push_back(all[to][0]);
  for (int to = 0; to < k; ++to) start.push_back((1 - end.back()) / k);
  start.push_back(end.back());
  return divergence(end, start);
}

// The network's guess for each position, p[l][j].
std::vector<std::vector<double>> guess_of(const DiffusionModel& model, const std::vector<int>& x_t,
                                          int t) {
  const std::vector<int64_t> tokens(x_t.begin(), x_t.end());
  const at::Tensor hidden = model.denoiser().hidden(at::tensor(tokens, at::kLong).unsqueeze(0),
                                                    at::full({1}, t - 1, at::kLong), {});
  const at::Tensor p = at::softmax(model.denoiser().head(hidden).to(at::kDouble), -1)[0];
  std::vector<std::vector<double>> guess(x_t.size());
  for (size_t l = 0; l < x_t.size(); ++l) {
    for (int64_t j = 0; j < p.size(1); ++j)
      guess[l].push_back(p[static_cast<int64_t>(l)][j].item<double>());
  }
  return guess;
}

// One position's term in nats. Of a process that only masks, a token that is there stays.
double brute_term(const Schedule& schedule, int t, int x_t, int x_0,
                  const std::vector<double>& guess) {
  const int k = schedule.codebook_size();
  if (only_masks(schedule) && x_t != k) return 0;
  if (t == 1) return -std::log(guess[static_cast<size_t>(x_0)]);
  return divergence(testing::bayes_posterior(schedule, t - 1, t, x_t, x_0),
                    testing::bayes_mixture(schedule, t - 1, t, x_t, guess));
}

// The bound of one grid in bits a token: every time, every noised grid.
double brute_bits(const DiffusionModel& model, const std::vector<int16_t>& x_0) {
  const Schedule& schedule = model.schedule();
  double nats = brute_prior(schedule) * kLength;
  for (int t = 1; t <= schedule.timesteps(); ++t) {
    const Matrix q = testing::steps_between(schedule, 0, t);
    for (int state = 0; state < (kCodes + 1) * (kCodes + 1); ++state) {
      const std::vector<int> x_t = {state % (kCodes + 1), state / (kCodes + 1)};
      const double chance = q[x_t[0]][x_0[0]] * q[x_t[1]][x_0[1]];
      if (chance < 1e-15) continue;
      const auto guess = guess_of(model, x_t, t);
      for (int l = 0; l < kLength; ++l)
        nats += chance * brute_term(schedule, t, x_t[l], x_0[l], guess[l]);
    }
  }
  return nats / kLength / std::numbers::ln2;
}

TEST(Bits, TheFirstTermIsWhatTheMatricesSay) {
  for (const std::string& name : Schedule::names()) {
    for (const int k : {1, 3, 5}) {
      const Schedule schedule = Schedule::make(name, 8, k);
      EXPECT_NEAR(prior_divergence(schedule), brute_prior(schedule), 1e-12) << name << " " << k;
    }
  }
  EXPECT_LT(prior_divergence(Schedule::make("linear", 100, 2887)), 2e-4);
  EXPECT_GT(prior_divergence(Schedule::make("linear", 100, 2887)), 0);
}

TEST(Bits, TimesAreUsedEvenly) {
  const std::vector<std::vector<int>> cases = {{12, 4, 100}, {1000, 4, 100}, {7, 3, 10},
                                               {5, 10, 10},  {1, 1, 100},    {33, 1, 4}};
  for (const auto& of : cases) {
    const int records = of[0], draws = of[1], timesteps = of[2];
    const auto times = even_times(3, records, draws, timesteps);
    ASSERT_EQ(times.size(), static_cast<size_t>(records * draws));
    std::map<int, int> used;
    for (int i = 0; i < records; ++i) {
      const std::set<int> own(times.begin() + i * draws, times.begin() + (i + 1) * draws);
      EXPECT_EQ(own.size(), static_cast<size_t>(draws));
      EXPECT_GE(*own.begin(), 1);
      EXPECT_LE(*own.rbegin(), timesteps);
      for (const int t : own) ++used[t];
    }
    const int least = records * draws / timesteps;
    for (int t = 1; t <= timesteps; ++t) {
      EXPECT_GE(used[t], least) << t;
      EXPECT_LE(used[t], least + 1) << t;
    }
    EXPECT_EQ(times, even_times(3, records, draws, timesteps));
  }
  EXPECT_NE(even_times(3, 50, 1, 100), even_times(4, 50, 1, 100));
}

// Over many seeds one record sees all times alike.
TEST(Bits, TimesOfOneRecordAreUniform) {
  std::vector<double> counts(10, 0);
  for (uint64_t seed = 0; seed < 4000; ++seed) {
    for (const int t : even_times(seed, 3, 2, 10)) ++counts[static_cast<size_t>(t - 1)];
  }
  EXPECT_TRUE(testing::chi_square(counts, std::vector<double>(10, 0.1)).plausible());
}

TEST(Bits, AgreeWithTheEnumeratedBound) {
  const std::vector<std::vector<int16_t>> grids = {{0, 0}, {2, 1}, {1, 2}, {0, 2}};
  for (const char* schedule : {"linear", "replace", "cosine"}) {
    const auto model = tiny_model(tiny_config(1, 2, kCodes, 5, schedule));
    double want = 0;
    for (const auto& grid : grids) want += brute_bits(*model, grid) / 4;
    const TokenSet set = set_of(*model, grids, 500);
    for (const int draws : {1, 2, 5}) {
      BitsOptions options;
      options.draws = draws, options.batch = 500, options.seed = 11;
      const Bits bits = bits_per_token(*model, set, options);
      EXPECT_NEAR(bits.value, want, 4 * bits.error) << schedule << ", " << draws << " draws";
      EXPECT_LT(bits.error, 0.05 * want) << schedule << ", " << draws << " draws";
      EXPECT_EQ(bits.records, 2000);
      EXPECT_EQ(bits.draws, draws);
    }
  }
}

// A model that knows nothing codes every token with log2 K bits, and no part of the bound is left
// over: neither the first term nor the last step. Where tokens are replaced it does not know which.
TEST(Bits, KnowingNothingCostsTheLogarithmOfTheCodebook) {
  for (const char* schedule : {"cosine", "arccos"}) {
    const auto model = tiny_model(tiny_config(1, 2, kCodes, 6, schedule));
    know_nothing(*model);
    EXPECT_NEAR(brute_bits(*model, {2, 0}), std::log2(3), 1e-9) << schedule;
    BitsOptions options;
    options.draws = 6, options.batch = 300;
    const Bits bits = bits_per_token(*model, set_of(*model, {{2, 0}}, 3000), options);
    EXPECT_NEAR(bits.value, std::log2(3), 4 * bits.error) << schedule;
    EXPECT_LT(bits.error, 0.03) << schedule;
  }
  const auto model = tiny_model(tiny_config(1, 2, kCodes, 6, "replace"));
  know_nothing(*model);
  const Bits bits = bits_per_token(*model, set_of(*model, {{2, 0}}, 1000), {});
  EXPECT_GT(bits.value, std::log2(3) + 4 * bits.error);
}

TEST(Bits, DoNotDependOnTheBatch) {
  const auto model = tiny_model(tiny_config(4, 4, 37, 20));
  const TokenSet set = random_set(*model, 23, 1);
  BitsOptions options;
  options.seed = 2;
  const Bits all = bits_per_token(*model, set, options);
  for (const int64_t batch : {1, 7, 1000}) {
    options.batch = batch;
    int64_t done = 0;
    options.on_progress = [&](int64_t n) { done = n; };
    const Bits bits = bits_per_token(*model, set, options);
    EXPECT_EQ(bits.value, all.value) << batch;
    EXPECT_EQ(bits.error, all.error) << batch;
    EXPECT_EQ(done, 23 * 4);
  }
  options.seed = 3;
  EXPECT_NE(bits_per_token(*model, set, options).value, all.value);
}

// Stated error over the spread, when the whole experiment is repeated with other data and noise.
double stated_over_true(const DiffusionModel& model, int64_t records, int draws) {
  constexpr int kTimes = 150;
  double sum = 0, squares = 0, error = 0;
  for (uint64_t i = 0; i < kTimes; ++i) {
    BitsOptions options;
    options.draws = draws, options.seed = i, options.batch = 500;
    const Bits bits = bits_per_token(model, random_set(model, records, 1000 + i), options);
    sum += bits.value;
    squares += bits.value * bits.value;
    error += bits.error / kTimes;
  }
  return error / std::sqrt((squares - sum * sum / kTimes) / (kTimes - 1));
}

TEST(Bits, TheErrorIsTheSpreadOfRepetitions) {
  const auto model = tiny_model(tiny_config(1, 4, 5, 10));
  EXPECT_NEAR(stated_over_true(*model, 200, 1), 1, 0.2);
  EXPECT_NEAR(stated_over_true(*model, 60, 5), 1, 0.2);
  // So few that times far apart are taken together: rather too large than too small.
  const double few = stated_over_true(*model, 12, 2);
  EXPECT_GT(few, 0.85);
  EXPECT_LT(few, 3);
}

TEST(Bits, RefusesWhatCannotBeMeasured) {
  const auto model = tiny_model(tiny_config(1, 2, kCodes, 5));
  const TokenSet set = set_of(*model, {{0, 1}});
  BitsOptions options;
  options.draws = 6;
  EXPECT_EQ(error_of([&] { bits_per_token(*model, set, options); }),
            "--draws: 6 different times are asked for; the model has 5");
  options.draws = 5;
  EXPECT_TRUE(std::isnan(bits_per_token(*model, set, options).error));  // of one record
  model->parameters().get("head.linear.bias").fill_(std::nan(""));
  EXPECT_EQ(error_of([&] { bits_per_token(*model, set, options); }),
            "the model's guesses are not numbers");
}

}  // namespace
}  // namespace vq
