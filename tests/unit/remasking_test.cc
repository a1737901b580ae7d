// ReMDM, against the sum over everything that can happen in every step.

#include <gtest/gtest.h>

#include "formats/error.h"
#include "tests/unit/chains.h"

namespace vq {
namespace {

using testing::Chances;
using testing::Grid;
using testing::Oracle;

struct State {
  Grid x;
  std::vector<double> belief;  // the probability of each token when it was drawn
};

class Walk {
 public:
  Walk(const DiffusionModel& model, const SamplerOptions& options)
      : oracle_(model), options_(options), times_(model.schedule().sampling_times(options.steps)) {}

  Chances operator()(const Grid& start) {
    go({start, std::vector<double>(start.size(), 1)}, 0, 1);
    return chances_;
  }

 private:
  void go(const State& state, size_t i, double chance) {
    if (i + 1 == times_.size()) {
      chances_[state.x] += chance;
      return;
    }
    const Schedule& schedule = oracle_.model().schedule();
    const double a_t = 1 - schedule.gamma_bar(times_[i]),
                 a_s = 1 - schedule.gamma_bar(times_[i + 1]);
    const double most = a_t > 0 ? std::min(1.0, (1 - a_s) / a_t) : 1;
    const double strength = options_.remask_strength;
    const double sigma = options_.remask_rule == "cap" ? std::min(strength, most) : strength * most;
    cell(state, state, i, chance, 0, a_t, a_s, sigma);
  }

  // What becomes of cell l, and then of those behind it.
  void cell(const State& before, State after, size_t i, double chance, size_t l, double a_t,
            double a_s, double sigma) {
    if (chance == 0) return;
    if (l == before.x.size()) return go(after, i + 1, chance);
    const auto next = [&](int token, double belief, double p) {
      State s = after;
      s.x[l] = token, s.belief[l] = belief;
      cell(before, s, i, chance * p, l + 1, a_t, a_s, sigma);
    };
    const bool shared = options_.remask_rule == "confidence";
    const int mask = oracle_.mask();
    if (before.x[l] == mask) {
      const double leave = (a_s - (1 - (shared ? 0 : sigma)) * a_t) / (1 - a_t);
      next(mask, 1, 1 - leave);
      const auto p = oracle_(before.x, times_[i])[l];
      for (size_t j = 0; j < p.size(); ++j) next(static_cast<int>(j), p[j], leave * p[j]);
      return;
    }
    double back = sigma;
    if (shared) {
      double all = 0;
      for (size_t m = 0; m < before.x.size(); ++m) {
        if (before.x[m] != mask) all += std::exp(-before.belief[m]);
      }
      back = sigma * std::exp(-before.belief[l]) / all;
    }
    next(mask, 1, back);
    next(before.x[l], before.belief[l], 1 - back);
  }

  Oracle oracle_;
  SamplerOptions options_;
  std::vector<double> times_;
  Chances chances_;
};

SamplerOptions by(const std::string& rule, double strength, int steps) {
  SamplerOptions options;
  options.order = Order::remask, options.remask_rule = rule, options.remask_strength = strength;
  options.steps = steps, options.seed = 2;
  return options;
}

void expect_walk(const SamplerOptions& options, int width, int codes) {
  const auto model = testing::chain_model(1, width, codes, 5);
  testing::expect_chances(*model, options, Walk(*model, options)(testing::all_masked(*model)),
                          options.remask_rule + ", " + std::to_string(width) + " cells");
}

TEST(Remasking, FollowsItsRuleToTheEnd) {
  for (const std::string rule : {"cap", "rescale", "confidence"}) {
    expect_walk(by(rule, 0.4, 4), 1, 5);
    expect_walk(by(rule, 0.4, 4), 2, 3);
    expect_walk(by(rule, 0.3, 3), 3, 3);
  }
}

// Whatever goes back, the share of masks at each time is the schedule's (ReMDM's theorem; the rule
// that shares sigma out keeps fewer tokens back from leaving, so it is not among these).
TEST(Remasking, KeepsTheScheduleOfMasks) {
  const auto model = testing::chain_model(4, 4, 5, 10);
  for (const std::string rule : {"cap", "rescale"}) {
    const int64_t rows = 2000;
    const auto times = model->schedule().sampling_times(10);
    sample(*model, {testing::nothing(rows), testing::count_up(rows)}, by(rule, 0.2, 10), nullptr,
           [&](int step, const at::Tensor& x) {
             const double share = x.eq(5).to(at::kDouble).mean().item<double>();
             const double want = model->schedule().gamma_bar(times[static_cast<size_t>(step)]);
             EXPECT_NEAR(share, want, 4 * std::sqrt(0.25 / (16 * rows))) << rule << " " << step;
           });
  }
}

TEST(Remasking, RefusesARuleItDoesNotKnow) {
  const auto model = testing::chain_model(1, 2, 3, 5);
  EXPECT_THROW(sample(*model, {testing::nothing(1), {0}}, by("often", 0.2, 3)), Error);
}

}  // namespace
}  // namespace vq
