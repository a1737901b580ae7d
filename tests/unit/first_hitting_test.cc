// First-hitting sampling, against the sum over every order of the cells and every set of hitting
// times.

#include <gtest/gtest.h>

#include "tests/unit/chains.h"

namespace vq {
namespace {

using testing::Chances;
using testing::Grid;
using testing::Oracle;

// Chance of one mask's hitting time to be shown as each row of the timestep table: gamma_bar at
// that time is even between 0 and its value at T, and row r stands for times from r + 1/2 to r +
// 3/2.
std::vector<double> row_shares(const Schedule& schedule) {
  std::vector<double> shares;
  const double last = schedule.gamma_bar(schedule.timesteps());
  for (int r = 0; r < schedule.timesteps(); ++r) {
    const double from = r == 0 ? 0 : r + 0.5, to = std::min<double>(r + 1.5, schedule.timesteps());
    shares.push_back((schedule.gamma_bar(to) - schedule.gamma_bar(from)) / last);
  }
  return shares;
}

// Every falling sequence of rows that m sorted hitting times can show, with its chance: m! ways to
// be sorted, and a factor 1 / c! where c of them share a row.
void each_fall(const std::vector<double>& shares, size_t m, std::vector<int>& rows, double chance,
               const std::function<void(const std::vector<int>&, double)>& visit) {
  if (rows.size() == m) return visit(rows, chance);
  const int top = rows.empty() ? static_cast<int>(shares.size()) - 1 : rows.back();
  for (int r = top; r >= 0; --r) {
    double same = 1;
    for (const int other : rows) same += other == r;
    rows.push_back(r);
    each_fall(shares, m, rows,
              chance * shares[static_cast<size_t>(r)] * static_cast<double>(rows.size()) / same,
              visit);
    rows.pop_back();
  }
}

Chances enumerate(const DiffusionModel& model, size_t together, const Grid& start) {
  Oracle oracle(model);
  std::vector<size_t> cells = testing::masked_cells(start, oracle.mask());
  double orders = 1;
  for (size_t i = 2; i <= cells.size(); ++i) orders *= static_cast<double>(i);
  const auto shares = row_shares(model.schedule());
  Chances chances;
  do {
    std::vector<int> rows;
    each_fall(shares, cells.size(), rows, 1 / orders, [&](const std::vector<int>& r, double c) {
      const std::function<void(const Grid&, double, size_t)> go = [&](const Grid& x, double now,
                                                                      size_t at) {
        if (at >= cells.size()) {
          chances[x] += now;
          return;
        }
        const auto& p = oracle(x, r[at] + 1);
        const size_t end = std::min(cells.size(), at + together);
        testing::fill_cells(
            x, {cells.begin() + static_cast<long>(at), cells.begin() + static_cast<long>(end)}, now,
            [&](size_t l) -> const std::vector<double>& { return p[l]; },
            [&](const Grid& grid, double d) { go(grid, d, end); });
      };
      go(start, c, 0);
    });
  } while (std::next_permutation(cells.begin(), cells.end()));
  return chances;
}

void expect_first_hitting(int width, int codes, const std::string& schedule, int64_t together,
                          Grid start = {}) {
  const auto model = testing::chain_model(1, width, codes, 4, schedule);
  Request request;
  if (start.empty()) {
    start = testing::all_masked(*model);
  } else {
    request.tokens = at::tensor(start, at::kLong).unsqueeze(0);
  }
  SamplerOptions options;
  options.order = Order::first_hitting, options.tokens_per_step = together, options.seed = 7;
  testing::expect_chances(
      *model, options,
      enumerate(*model, static_cast<size_t>(std::max<int64_t>(1, together)), start),
      schedule + " " + std::to_string(width) + " cells, " + std::to_string(together), request);
}

TEST(FirstHitting, TokensComeOneByOneAtTheirOwnTimes) {
  expect_first_hitting(1, 5, "linear", 0);
  expect_first_hitting(2, 5, "linear", 0);
  expect_first_hitting(3, 3, "cosine", 0);
  expect_first_hitting(3, 3, "linear", 0, {3, 2, 3});
}

TEST(FirstHitting, SeveralTogetherComeAtTheTimeOfTheFirst) {
  expect_first_hitting(3, 3, "linear", 2);
  expect_first_hitting(3, 3, "cosine", 3);
}

TEST(FirstHitting, StepsAreAtMostWhatWasAskedFor) {
  const auto model = testing::chain_model(4, 4, 5, 10);
  SamplerOptions options;
  options.order = Order::first_hitting;
  for (const auto& [steps, calls] : {std::pair{0, 16}, std::pair{16, 16}, std::pair{5, 4}}) {
    options.steps = steps;  // five steps of sixteen tokens: four a step
    SamplerReport report;
    sample(*model, {testing::nothing(2), {0, 1}}, options, &report);
    EXPECT_EQ(report.network_calls, calls) << steps;
  }
}

}  // namespace
}  // namespace vq
