// Orders that count tokens, against the enumeration of every choice they could make.

#include <gtest/gtest.h>

#include <algorithm>

#include "lib/sampling/halton.h"
#include "tests/unit/chains.h"

namespace vq {
namespace {

using testing::Chances;
using testing::Grid;
using testing::Guesses;
using testing::Oracle;
using Cells = std::vector<size_t>;

// One step of an order: from x, whose masked cells are given, n become final.
struct Moment {
  const Grid& x;
  const Cells& cells;
  size_t n;
  double left;  // share of the run's first masks that stay
  const Guesses& p;
};
using Visit = std::function<void(const Grid&, double)>;
using Rule = std::function<void(const Moment&, const Visit&)>;

// Time that the network is shown: whose gamma_bar is nearest to the share of masks.
double shown_time(const Schedule& schedule, size_t masks, size_t length) {
  const double share = static_cast<double>(masks) / static_cast<double>(length);
  double best = 1, off = 2;
  for (int t = 1; t <= schedule.timesteps(); ++t) {
    const double distance = std::abs(schedule.gamma_bar(t) - share);
    if (distance < off - 1e-12) off = distance, best = t;
  }
  return best;
}

// How many masks are left after each step.
std::vector<size_t> plan_of(const Schedule& schedule, const SamplerOptions& options, size_t masks) {
  std::vector<size_t> left;
  if (options.tokens_per_step > 0) {
    const auto z = static_cast<size_t>(options.tokens_per_step);
    for (size_t m = masks; m > 0;) left.push_back(m = m > z ? m - z : 0);
    return left;
  }
  for (int i = 1; i <= options.steps; ++i) {
    const double t = schedule.timesteps() * (1 - static_cast<double>(i) / options.steps);
    const double share = schedule.gamma_bar(t) / schedule.gamma_bar(schedule.timesteps());
    left.push_back(static_cast<size_t>(std::llround(static_cast<double>(masks) * share)));
  }
  return left;
}

Chances enumerate(const DiffusionModel& model, const SamplerOptions& options, const Grid& start,
                  const Rule& rule) {
  Oracle oracle(model);
  const size_t first = testing::masked_cells(start, oracle.mask()).size();
  Chances now = {{start, 1.0}};
  for (const size_t left : plan_of(model.schedule(), options, first)) {
    Chances next;
    for (const auto& [x, chance] : now) {
      const Cells cells = testing::masked_cells(x, oracle.mask());
      if (cells.size() == left) {
        next[x] += chance;
        continue;
      }
      const double t = shown_time(model.schedule(), cells.size(), x.size());
      const double share = static_cast<double>(left) / static_cast<double>(first);
      rule({x, cells, cells.size() - left, share, oracle(x, t)},
           [&next, chance = chance](const Grid& grid, double c) { next[grid] += chance * c; });
    }
    now = next;
  }
  return now;
}

void fill(const Moment& m, const Cells& set, double chance, const Visit& visit) {
  testing::fill_cells(
      m.x, set, chance, [&](size_t l) -> const std::vector<double>& { return m.p[l]; }, visit);
}

// Algorithm 1: every set of n masked cells is as likely as any other.
void evenly(const Moment& m, const Visit& visit) {
  double sets = 0;
  testing::each_set(m.cells, m.n, [&](const Cells&) { ++sets; });
  testing::each_set(m.cells, m.n, [&](const Cells& set) { fill(m, set, 1 / sets, visit); });
}

// Algorithm 2: sets by purity (Eq. 8), guesses to the power 1 + r purity (Eq. 11).
Rule by_purity(double r, bool relative) {
  return [=](const Moment& m, const Visit& visit) {
    const auto purity = [&](size_t l) { return *std::max_element(m.p[l].begin(), m.p[l].end()); };
    double most = 0;
    for (const size_t cell : m.cells) most = std::max(most, purity(cell));
    Guesses sharp = m.p;
    for (const size_t cell : m.cells) {
      double sum = 0;
      for (double& p : sharp[cell])
        sum += p = std::pow(p, 1 + r * purity(cell) / (relative ? most : 1));
      for (double& p : sharp[cell]) p /= sum;
    }
    testing::each_set(m.cells, m.n, [&](const Cells& set) {
      testing::fill_cells(
          m.x, set, testing::chance_of_set(set, m.cells, purity),
          [&](size_t l) -> const std::vector<double>& { return sharp[l]; }, visit);
    });
  };
}

// MaskGIT: all are drawn; the n with the highest log p + Gumbel noise stay. The highest of scores
// b / c + noise are those drawn without replacement by weight exp(b / c).
Rule by_confidence(double noise) {
  return [=](const Moment& m, const Visit& visit) {
    fill(m, m.cells, 1, [&](const Grid& drawn, double chance) {
      const auto belief = [&](size_t l) { return m.p[l][static_cast<size_t>(drawn[l])]; };
      const auto keep = [&](const Cells& set, double c) {
        Grid next = m.x;
        for (const size_t cell : set) next[cell] = drawn[cell];
        visit(next, chance * c);
      };
      if (noise * m.left == 0) {
        Cells order = m.cells;
        std::stable_sort(order.begin(), order.end(),
                         [&](size_t a, size_t b) { return belief(a) > belief(b); });
        order.resize(m.n);
        return keep(order, 1);
      }
      testing::each_set(m.cells, m.n, [&](const Cells& set) {
        keep(set, testing::chance_of_set(set, m.cells, [&](size_t l) {
               return std::pow(belief(l), 1 / (noise * m.left));
             }));
      });
    });
  };
}

void expect_order(const SamplerOptions& options, int height, int width, int codes, const Rule& rule,
                  const std::string& what, Grid start = {}) {
  const auto model = testing::chain_model(height, width, codes, 8);
  Request request;
  if (start.empty()) {
    start = testing::all_masked(*model);
  } else {
    request.tokens = at::tensor(start, at::kLong).unsqueeze(0);
  }
  testing::expect_chances(*model, options, enumerate(*model, options, start, rule), what, request);
}

SamplerOptions by(Order order, int64_t tokens_per_step, int steps = 0) {
  SamplerOptions options;
  options.order = order, options.tokens_per_step = tokens_per_step, options.steps = steps;
  options.seed = 3;
  return options;
}

TEST(Unmasking, RandomIsAlgorithm1) {
  expect_order(by(Order::random, 1), 1, 3, 3, evenly, "one at a time");
  expect_order(by(Order::random, 2), 1, 3, 3, evenly, "two at a time");
  expect_order(by(Order::random, 3), 3, 1, 3, evenly, "all at once");
  expect_order(by(Order::random, 1), 1, 2, 5, evenly, "five codes");
  expect_order(by(Order::random, 0, 2), 1, 3, 3, evenly, "two steps");
  expect_order(by(Order::random, 1), 1, 3, 3, evenly, "one token is there", {3, 1, 3});
}

TEST(Unmasking, PurityIsAlgorithm2) {
  SamplerOptions options = by(Order::purity, 1);
  options.purity_weight = 2;
  expect_order(options, 1, 3, 3, by_purity(2, false), "one at a time");
  expect_order(options, 1, 3, 3, by_purity(2, false), "one token is there", {3, 3, 0});
  options.tokens_per_step = 2;
  expect_order(options, 1, 3, 3, by_purity(2, false), "two at a time");
  options.purity_relative = true;
  expect_order(options, 1, 3, 3, by_purity(2, true), "divided by the grid's largest");
  options.tokens_per_step = 0, options.steps = 2, options.purity_weight = 0;
  expect_order(options, 1, 2, 5, by_purity(0, false), "not sharpened");
}

TEST(Unmasking, ConfidenceIsMaskGits) {
  SamplerOptions options = by(Order::confidence, 1);
  for (const double noise : {0.0, 1.5}) {
    options.confidence_noise = noise;
    expect_order(options, 1, 3, 3, by_confidence(noise), "one at a time");
    expect_order(options, 1, 2, 5, by_confidence(noise), "five codes");
  }
  options.tokens_per_step = 2;
  expect_order(options, 1, 3, 3, by_confidence(1.5), "two at a time");
  options.tokens_per_step = 0, options.steps = 2;
  expect_order(options, 1, 3, 3, by_confidence(1.5), "two steps, one token is there", {3, 1, 3});
}

TEST(Unmasking, HaltonTakesTheCellsInItsOrder) {
  const auto rule = [](int64_t height, int64_t width) -> Rule {
    return [order = halton_order(height, width)](const Moment& m, const Visit& visit) {
      Cells set;
      for (const int64_t cell : order) {
        const auto l = static_cast<size_t>(cell);
        const bool masked = std::find(m.cells.begin(), m.cells.end(), l) != m.cells.end();
        if (masked && set.size() < m.n) set.push_back(l);
      }
      fill(m, set, 1, visit);
    };
  };
  expect_order(by(Order::halton, 1), 1, 3, 3, rule(1, 3), "one at a time");
  expect_order(by(Order::halton, 2), 3, 1, 3, rule(3, 1), "two at a time");
  expect_order(by(Order::halton, 0, 2), 1, 3, 3, rule(1, 3), "one token is there", {3, 3, 2});
}

// A token more or less in one record does not move the others' steps.
TEST(Unmasking, TokensPerStepIsKeptToTheEnd) {
  const auto model = testing::chain_model(3, 3, 5, 10);
  std::vector<int64_t> masks;
  sample(*model, {testing::nothing(1), {0}}, by(Order::random, 4), nullptr,
         [&](int, const at::Tensor& x) { masks.push_back(x.eq(5).sum().item<int64_t>()); });
  EXPECT_EQ(masks, (std::vector<int64_t>{5, 1, 0}));
}

}  // namespace
}  // namespace vq
