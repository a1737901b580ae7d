#include "lib/sampling/sampler.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "lib/diffusion/posterior.h"
#include "tests/unit/brute_force.h"
#include "tests/unit/tiny_model.h"

namespace vq {
namespace {

using testing::tiny_config;
using testing::tiny_model;

std::vector<uint64_t> count_up(uint64_t n) {
  std::vector<uint64_t> list(n);
  std::iota(list.begin(), list.end(), uint64_t{0});
  return list;
}

at::Tensor nothing(int64_t rows) { return at::full({rows, 1}, -1, at::kLong); }

// Every grid of L cells over K + 1 states as one number, and back.
at::Tensor grid_of(int64_t state, int64_t length, int64_t states) {
  at::Tensor grid = at::empty({1, length}, at::kLong);
  for (int64_t l = 0; l < length; ++l, state /= states) grid[0][l] = state % states;
  return grid;
}

// The distribution of x_0 by enumerating all grids at all times (Eq. 5 for every position,
// independently).
std::vector<double> enumerate_chain(const DiffusionModel& model, const std::vector<double>& times) {
  const int64_t length = model.config().denoiser.grid_height * model.config().denoiser.grid_width;
  const int64_t states = model.config().denoiser.codebook_size + 1;
  const auto count = static_cast<int64_t>(std::llround(std::pow(states, length)));
  std::vector<double> now(static_cast<size_t>(count), 0);
  now.back() = 1;  // all [mask]
  for (size_t i = 0; i + 1 < times.size(); ++i) {
    const Transition q = model.schedule().between(times[i + 1], times[i]);
    std::vector<double> next(now.size(), 0);
    for (int64_t from = 0; from < count; ++from) {
      if (now[from] == 0) continue;
      const at::Tensor x_t = grid_of(from, length, states);
      const at::Tensor row = at::full({1}, model.schedule().table_row(times[i]), at::kLong);
      const at::Tensor logits = model.denoiser().head(model.denoiser().hidden(x_t, row, {}))[0];
      const at::Tensor log_x0 = at::log_softmax(logits.to(at::kDouble), -1);
      const at::Tensor each = log_posterior(q, log_x0, x_t[0]).exp();  // (L, K+1)
      for (int64_t to = 0; to < count; ++to) {
        double p = now[from];
        int64_t rest = to;
        for (int64_t l = 0; l < length && p > 0; ++l, rest /= states)
          p *= each[l][rest % states].item<double>();
        next[to] += p;
      }
    }
    now = next;
  }
  return now;
}

void expect_enumerated(const std::string& schedule, int height, int width, int codes, int timesteps,
                       int steps) {
  const auto model = tiny_model(tiny_config(height, width, codes, timesteps, schedule));
  const auto shares = enumerate_chain(*model, model->schedule().sampling_times(steps));
  const int64_t draws = 20000, states = codes + 1;
  SamplerOptions options;
  options.steps = steps, options.seed = 5;
  const at::Tensor x = sample(*model, nothing(draws), options, count_up(draws));
  std::vector<double> counts(shares.size(), 0);
  for (int64_t b = 0; b < draws; ++b) {
    int64_t state = 0;
    for (int64_t l = x.size(1) - 1; l >= 0; --l)
      state = state * states + x.data_ptr<int64_t>()[b * x.size(1) + l];
    ++counts[state];
  }
  const auto test = testing::chi_square(counts, shares);
  EXPECT_TRUE(test.plausible()) << schedule << " T " << timesteps << " steps " << steps
                                << ": chi-square " << test.statistic << " at " << test.degrees;
}

// Law 1 for whole chains: as many, fewer and more steps than training, with and without
// replacement.
TEST(Sampler, ChainsFollowTheEnumeratedDistribution) {
  expect_enumerated("linear", 1, 2, 3, 4, 4);
  expect_enumerated("linear", 1, 2, 3, 8, 3);
  expect_enumerated("replace", 1, 2, 3, 4, 4);
  expect_enumerated("replace", 1, 3, 2, 6, 4);
  expect_enumerated("replace", 2, 1, 3, 3, 5);
  expect_enumerated("cosine", 1, 2, 3, 5, 5);
}

// Law 3: batch size, order, threads and shards do not matter.
TEST(Sampler, ARecordDoesNotDependOnItsBatch) {
  const auto model = tiny_model(tiny_config(4, 4, 37, 20));
  SamplerOptions options;
  options.steps = 7, options.truncation.top_p = 0.9, options.seed = 3;
  const at::Tensor all = sample(*model, nothing(14), options, count_up(14));
  for (const int64_t batch : {1, 2, 7}) {
    for (int64_t at = 0; at < 14; at += batch) {
      std::vector<uint64_t> records;
      for (int64_t i = at; i < at + batch; ++i) records.push_back(static_cast<uint64_t>(i));
      EXPECT_TRUE(
          at::equal(sample(*model, nothing(batch), options, records), all.narrow(0, at, batch)))
          << batch;
    }
  }
  EXPECT_TRUE(at::equal(sample(*model, nothing(2), options, {13, 4}),
                        all.index_select(0, at::tensor({13, 4}, at::kLong))));
  const int threads = at::get_num_threads();
  at::set_num_threads(threads == 1 ? 2 : 1);
  EXPECT_TRUE(at::equal(sample(*model, nothing(14), options, count_up(14)), all));
  at::set_num_threads(threads);
  options.seed = 4;
  EXPECT_FALSE(at::equal(sample(*model, nothing(14), options, count_up(14)), all));
}

TEST(Sampler, CaptionsAndGuidanceDoNotDependOnTheBatchEither) {
  DiffusionModelConfig config = tiny_config(2, 2, 11, 10);  // four positions: the smallest products
  config.condition.kind = ConditionKind::caption;
  config.condition.text = {1, 32, 2, 0, 6};
  const std::vector<std::string> captions = {"a red ring", "a blue star", "a red star",
                                             "a green ring and a star"};
  const auto model = tiny_model(config, 2, Vocabulary::train(captions, 60));
  SamplerOptions options;
  options.guidance = 3, options.seed = 9;
  std::vector<at::Tensor> prepared;
  for (const std::string& caption : captions)
    prepared.push_back(at::tensor(model->condition().prepare_caption(caption), at::kLong));
  const at::Tensor all = sample(*model, at::stack(prepared), options, count_up(4));
  for (uint64_t i = 0; i < 4; ++i) {
    EXPECT_TRUE(at::equal(sample(*model, prepared[i].unsqueeze(0), options, {i})[0],
                          all[static_cast<int64_t>(i)]));
  }
}

TEST(Sampler, GuidanceDrawsTowardsTheCondition) {
  DiffusionModelConfig config = tiny_config(1, 1, 4, 6);
  config.condition.kind = ConditionKind::label;
  config.condition.classes = {"a", "b", "c"};
  const auto model = tiny_model(config);
  const auto guess = [&](int64_t label) {
    const at::Tensor x = at::full({1, 1}, 4, at::kLong);
    const Features features = model->condition()(at::full({1, 1}, label, at::kLong));
    return at::log_softmax(
        model->denoiser()
            .head(model->denoiser().hidden(x, at::full({1}, 5, at::kLong), features))
            .to(at::kDouble),
        -1)[0][0];
  };
  // One position and one step: x_0 is drawn from the guided guess itself.
  const at::Tensor want = at::softmax(guess(-1) + 2.5 * (guess(1) - guess(-1)), -1).contiguous();
  SamplerOptions options;
  options.steps = 1, options.guidance = 2.5;
  const int64_t draws = 20000;
  const at::Tensor x = sample(*model, at::full({draws, 1}, 1, at::kLong), options, count_up(draws));
  const at::Tensor counts = at::bincount(x.flatten(), {}, 4).to(at::kDouble);
  EXPECT_TRUE(testing::chi_square({counts.data_ptr<double>(), counts.data_ptr<double>() + 4},
                                  {want.data_ptr<double>(), want.data_ptr<double>() + 4})
                  .plausible());
}

TEST(Sampler, LeavesNoMaskAndAsksNoNetworkWhenNothingCanChange) {
  const auto model = tiny_model(tiny_config(2, 2, 6, 10, "cosine"));
  SamplerOptions options;
  options.steps =
      500;  // of which at most four have something to do: four positions, and what is there stays
  SamplerReport report;
  int seen = 0;
  const at::Tensor x =
      sample(*model, nothing(1), options, {0}, &report, [&](int step, const at::Tensor& grid) {
        EXPECT_EQ(step, ++seen);
        EXPECT_EQ(grid.size(1), 4);
      });
  EXPECT_EQ(x.eq(6).sum().item<int64_t>(), 0);
  EXPECT_EQ(seen, 500);
  EXPECT_LE(report.network_calls, 4);
}

// Law 6: nothing sticks to the model.
TEST(Sampler, EarlierOptionsDoNotStick) {
  const auto model = tiny_model(tiny_config(2, 3, 9, 10));
  SamplerOptions plain, sharp;
  sharp.truncation.top_p = 0.3, sharp.guidance = 4, sharp.steps = 3;
  const at::Tensor before = sample(*model, nothing(3), plain, count_up(3));
  sample(*model, nothing(5), sharp, count_up(5));
  EXPECT_TRUE(at::equal(sample(*model, nothing(3), plain, count_up(3)), before));
}

}  // namespace
}  // namespace vq
