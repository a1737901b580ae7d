// Law 1 for whole chains: what comes out is distributed as the product of Eq. 5 over all steps.

#include <gtest/gtest.h>

#include "lib/diffusion/posterior.h"
#include "tests/unit/chains.h"

namespace vq {
namespace {

using testing::Chances;
using testing::Grid;

using Table = std::vector<std::vector<double>>;  // p(x_s | x_t), one row of K + 1 a position

// All grids one step later, every position independent of the others given x_t.
Chances step(const Chances& now, const std::function<Table(const Grid&)>& table) {
  Chances next;
  for (const auto& [x, chance] : now) {
    const Table p = table(x);
    std::vector<size_t> cells(x.size());
    std::iota(cells.begin(), cells.end(), size_t{0});
    testing::fill_cells(
        x, cells, chance, [&](size_t l) -> const std::vector<double>& { return p[l]; },
        [&](const Grid& grid, double c) { next[grid] += c; });
  }
  return next;
}

Table rows_of(const at::Tensor& log_p) {
  const at::Tensor p = log_p.exp().contiguous();
  Table rows;
  for (int64_t l = 0; l < p.size(0); ++l) {
    const double* row = p.data_ptr<double>() + l * p.size(1);
    rows.emplace_back(row, row + p.size(1));
  }
  return rows;
}

// Eq. 5 for one grid; guesses raised to `power`, which is a temperature of 1 / power.
Table table_of(testing::Oracle& oracle, const Grid& x, double s, double t, double power,
               const Grid* frozen) {
  std::vector<at::Tensor> guess;
  for (const auto& row : oracle(x, t)) guess.push_back(at::tensor(row, at::kDouble));
  const at::Tensor log_x0 = at::log_softmax(at::stack(guess).log() * power, -1);
  Table rows = rows_of(
      log_posterior(oracle.model().schedule().between(s, t), log_x0, at::tensor(x, at::kLong)));
  for (size_t l = 0; frozen != nullptr && l < x.size(); ++l) {
    if ((*frozen)[l] == 0) continue;
    rows[l].assign(rows[l].size(), 0);
    rows[l][static_cast<size_t>(x[l])] = 1;
  }
  return rows;
}

void expect_chain(const std::string& schedule, int height, int width, int codes, int timesteps,
                  int steps, double temperature = 1, Spacing spacing = Spacing::even) {
  const auto model = testing::chain_model(height, width, codes, timesteps, schedule);
  testing::Oracle oracle(*model);
  Chances now = {{testing::all_masked(*model), 1.0}};
  const auto times = model->schedule().sampling_times(steps, spacing);
  for (size_t i = 0; i + 1 < times.size(); ++i) {
    now = step(now, [&](const Grid& x) {
      return table_of(oracle, x, times[i + 1], times[i], 1 / temperature, nullptr);
    });
  }
  SamplerOptions options;
  options.steps = steps, options.seed = 5, options.truncation.temperature = temperature;
  options.spacing = spacing;
  testing::expect_chances(*model, options, now,
                          schedule + " K " + std::to_string(codes) + " T " +
                              std::to_string(timesteps) + " steps " + std::to_string(steps));
}

TEST(Ancestral, FollowsEquation5WithAsManyStepsAsTraining) {
  expect_chain("linear", 1, 1, 5, 8, 8);
  expect_chain("linear", 1, 2, 3, 4, 4);
  expect_chain("replace", 1, 2, 5, 4, 4);
  expect_chain("replace", 1, 3, 3, 3, 3);
  expect_chain("cosine", 1, 2, 3, 5, 5);
  expect_chain("arccos", 3, 1, 3, 4, 4);
}

TEST(Ancestral, FollowsEquation5WithFewerAndMoreSteps) {
  expect_chain("linear", 1, 2, 3, 8, 3);
  expect_chain("linear", 1, 2, 3, 2, 7);
  expect_chain("replace", 1, 3, 3, 8, 3);
  expect_chain("replace", 2, 1, 3, 3, 5);
}

TEST(Ancestral, FollowsEquation5AtTimesThatAreNotEven) {
  expect_chain("linear", 1, 2, 3, 8, 3, 1, Spacing::cosine);
  expect_chain("replace", 1, 2, 3, 5, 4, 1, Spacing::cosine);
}

TEST(Ancestral, FollowsEquation5OfASharpenedGuess) {
  expect_chain("linear", 1, 2, 3, 4, 4, 0.5);
  expect_chain("replace", 1, 2, 3, 4, 4, 0.5);
}

TEST(Ancestral, FollowsEquation5FromAGridThatIsPartlyThere) {
  const auto model = testing::chain_model(1, 3, 3, 6, "replace");
  testing::Oracle oracle(*model);
  const Grid start = {2, 3, 1}, frozen = {1, 0, 0};  // 3 is [mask]; the last is there, but free
  const double from = 4;
  SamplerOptions options;
  options.steps = 6, options.seed = 11;
  Chances now = {{start, 1.0}};
  for (int t = 4; t > 0; --t)  // four sixths of the way, so four of six steps
    now = step(now, [&](const Grid& x) { return table_of(oracle, x, t - 1, t, 1, &frozen); });
  Request request;
  request.tokens = at::tensor(start, at::kLong).unsqueeze(0);
  request.frozen = at::tensor(frozen, at::kLong).unsqueeze(0).to(at::kBool);
  request.time = from;
  testing::expect_chances(*model, options, now, "partly there", request);
}

// The last step is Eq. 5 like the others: with a schedule that replaces, revealed tokens may still
// change; with one that does not, they stay. (The released code redraws them all.)
TEST(Ancestral, LastStepRedrawsOnlyWhereTheScheduleReplaces) {
  for (const std::string name : {"replace", "cosine"}) {
    const auto model = testing::chain_model(1, 1, 3, 10, name);
    testing::Oracle oracle(*model);
    const Table last = table_of(oracle, {1}, 0, 1, 1, nullptr);
    Request request;
    request.tokens = at::full({1, 1}, 1, at::kLong);
    request.time = 1;
    SamplerOptions options;
    options.steps = 10;
    Chances chances;
    for (int j = 0; j < 3; ++j) {
      if (last[0][static_cast<size_t>(j)] > 0) chances[{j}] = last[0][static_cast<size_t>(j)];
    }
    EXPECT_EQ(chances.size(), name == "replace" ? 3u : 1u);
    if (name == "replace")
      testing::expect_chances(*model, options, chances, name, request);
    else
      EXPECT_EQ(last[0][1], 1.0);
  }
}

// The released code's skipping, kept for comparison: of 100 steps every fourth is visited, each
// with the posterior of one step, so a quarter of all tokens is left to the very last one. (A chain
// of these counts, computed apart: 251 of 1024 at speed 4, 680 at speed 10.)
TEST(Ancestral, OneStepPosteriorLeavesTheMasksToTheEnd) {
  const auto model = testing::chain_model(8, 8, 3, 100);
  for (const auto& [steps, calls, at_last] :
       {std::tuple{25, 26, 251 / 1024.0}, std::tuple{10, 11, 680 / 1024.0}}) {
    SamplerOptions options;
    options.steps = steps, options.one_step_posterior = true;
    const int64_t rows = 200;
    std::vector<double> masks;
    SamplerReport report;
    sample(*model, {testing::nothing(rows), testing::count_up(rows)}, options, &report,
           [&](int, const at::Tensor& x) {
             masks.push_back(x.eq(3).to(at::kDouble).mean().item<double>());
           });
    EXPECT_EQ(report.network_calls, calls);
    EXPECT_EQ(masks.back(), 0);
    EXPECT_NEAR(masks[masks.size() - 2], at_last, 4 * std::sqrt(0.25 / (64 * rows)));
  }
}

// Guidance of p(x_s | x_t) itself, which moves the chance to leave [mask] too.
TEST(Ancestral, GuidesThePosterior) {
  DiffusionModelConfig config = testing::tiny_config(1, 1, 4, 6, "replace");
  config.condition.kind = ConditionKind::label;
  config.condition.classes = {"a", "b"};
  const auto model = testing::tiny_model(config);
  const double w = 2.5;
  const auto branch = [&](int64_t label, const Grid& x, double s, double t) {
    const Features features = model->condition()(at::full({1, 1}, label, at::kLong));
    const at::Tensor row = at::full({1}, model->schedule().table_row(t), at::kLong);
    const at::Tensor x_t = at::tensor(x, at::kLong);
    const at::Tensor hidden = model->denoiser().hidden(x_t.unsqueeze(0), row, features);
    const at::Tensor log_x0 =
        at::log_softmax(model->denoiser().head(hidden)[0].to(at::kDouble), -1);
    return log_posterior(model->schedule().between(s, t), log_x0, x_t);
  };
  Chances now = {{{4}, 1.0}};
  for (const auto& [t, s] : {std::pair{6.0, 3.0}, std::pair{3.0, 0.0}}) {
    now = step(now, [&, t = t, s = s](const Grid& x) {
      const at::Tensor given = branch(0, x, s, t), null = branch(-1, x, s, t);
      const at::Tensor never = given.isinf().logical_or(null.isinf());
      const at::Tensor mixed =
          (null + w * (given - null)).masked_fill(never, -std::numeric_limits<double>::infinity());
      return rows_of(at::log_softmax(mixed, -1));
    });
  }
  SamplerOptions options;
  options.steps = 2, options.guidance.scale = w, options.guidance.on_posterior = true;
  const int64_t draws = 20000;
  const at::Tensor x =
      sample(*model, {at::zeros({draws, 1}, at::kLong), testing::count_up(draws)}, options);
  const at::Tensor counts = at::bincount(x.flatten(), {}, 5).to(at::kDouble).contiguous();
  std::vector<double> seen, share;
  for (int j = 0; j < 5; ++j)
    seen.push_back(counts.data_ptr<double>()[j]), share.push_back(now[{j}]);
  EXPECT_TRUE(testing::chi_square(seen, share).plausible());
  EXPECT_EQ(seen[4], 0);
}

}  // namespace
}  // namespace vq
