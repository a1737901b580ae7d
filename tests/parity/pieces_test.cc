// Schedule, guidance, truncation and posterior, each on its own, beside the reference's: what goes
// in is the reference's, so that no difference adds up.

#include <ATen/ATen.h>

#include <cctype>
#include <cmath>
#include <filesystem>

#include "lib/diffusion/posterior.h"
#include "lib/random.h"
#include "lib/sampling/guidance.h"
#include "lib/sampling/truncation.h"
#include "tests/parity/fixture.h"
#include "tests/unit/brute_force.h"

namespace vq::parity {
namespace {

constexpr at::ScalarType kTypes[] = {at::kFloat, at::kDouble};

std::string in(const Case& c, at::ScalarType type) {
  return c.name + (type == at::kFloat ? " float32" : " float64");
}

// The scheduler's buffers are logarithms computed in double and rounded to single precision: half a
// unit in the last place is 6e-8 of the value. What is left is beta, a difference of numbers near
// one that is itself 1e-8: its logarithm is known to 5e-8.
TEST_P(Parity, ScheduleIsTheSchedulers) {
  const Fixture fixture(GetParam());
  const Schedule& schedule = fixture.schedule;
  const int steps = schedule.timesteps();
  double most = 0;
  const auto compare = [&](const std::string& name, int index, double value) {
    const double want = fixture.tensor(name)[index].item<double>(), got = std::log(value);
    if (want == got) return;  // -inf too
    EXPECT_NEAR(got, want, 6e-8 * std::abs(want) + 5e-8) << name << " " << index;
    most = std::max(most, std::abs(got - want) / std::max(1.0, std::abs(want)));
  };
  for (int t = 0; t < steps; ++t) {
    const Transition q = schedule.between(t, t + 1);
    compare("schedule.log_at", t, q.alpha);
    compare("schedule.log_bt", t, q.beta);
    compare("schedule.log_ct", t, q.gamma);
  }
  for (int t = 0; t <= steps; ++t) {
    const int index = (t + steps) % (steps + 1);  // our time 0 is the reference's last entry
    compare("schedule.log_cumprod_at", index, schedule.alpha_bar(t));
    compare("schedule.log_cumprod_bt", index, schedule.beta_bar(t));
    compare("schedule.log_cumprod_ct", index, schedule.gamma_bar(t));
  }
  measured("schedule, relative difference of logarithms", most);
}

// The reference works in single precision: five times a difference of logarithms of size 14.
TEST_P(Parity, GuidanceIsThePipelines) {
  const Fixture fixture(GetParam());
  int compared = 0;
  for (const Case& c : cases(fixture)) {
    if (!fixture.has(c.guided)) continue;
    const at::Tensor want = fixture.rows(c.guided);
    for (const at::ScalarType type : kTypes) {
      const double most = largest(c.our_guided(type) - want);
      EXPECT_LT(most, 1e-5) << in(c, type);
      measured("guided log p(x_0), " + in(c, type), most);
    }
    ++compared;
  }
  EXPECT_GT(compared, 0);
}

// The reference puts -70 where it cut and leaves the rest unnormalised. At a rate of 1 it still
// cuts what its single-precision sum cannot see, and we nothing.
TEST_P(Parity, TruncationKeepsWhatThePipelineKeeps) {
  const Fixture fixture(GetParam());
  int compared = 0;
  for (const Case& c : cases(fixture)) {
    if (!fixture.has(c.guided) || !fixture.has(c.truncated)) continue;
    const at::Tensor reference = fixture.rows(c.truncated), kept = reference.gt(-70);
    const at::Tensor want =
        normalised(reference.to(at::kDouble)).masked_fill(kept.logical_not(), 0).exp() * kept;
    for (const at::ScalarType type : kTypes) {
      const at::Tensor on_its_own =
          truncate(fixture.rows(c.guided).to(type), {.top_p = c.truncation});
      for (const at::Tensor& ours : {on_its_own, c.our_truncated(type)}) {
        EXPECT_TRUE(c.truncation >= 1 || at::equal(ours.gt(0), kept)) << in(c, type);
        const double most = largest(ours - want);
        EXPECT_LT(most, 1e-6) << in(c, type);
        measured("truncated p(x_0), " + in(c, type), most);
      }
    }
    ++compared;
  }
  EXPECT_GT(compared, 0);
}

// The reference's table has a [mask] column for positions that hold a token, about e^-69, where
// ours has no chance at all; it sums to the mass that truncation left.
TEST_P(Parity, PosteriorIsTheSchedulers) {
  const Fixture fixture(GetParam());
  int compared = 0;
  for (const Case& c : cases(fixture)) {
    if (!fixture.has(c.posterior)) continue;
    const at::Tensor want = normalised(fixture.rows(c.posterior).to(at::kDouble));
    at::Tensor impossible = at::zeros_like(want, at::kBool);
    impossible.select(1, fixture.codes).copy_(c.x_t.ne(fixture.codes));
    for (const at::ScalarType type : kTypes) {
      const at::Tensor log_x0 = fixture.has(c.truncated)
                                    ? normalised(fixture.rows(c.truncated).to(type))
                                    : c.our_truncated(type).log();
      const at::Tensor ours = log_posterior(c.transition(fixture), log_x0, c.x_t);
      EXPECT_TRUE(ours.masked_select(impossible).isneginf().all().item<bool>()) << in(c, type);
      EXPECT_LT(want.masked_select(impossible).max().item<double>(), -50) << in(c, type);
      const double of_p = largest(ours.exp() - want.exp());
      EXPECT_LT(of_p, 1e-6) << in(c, type);
      const double of_log = largest((ours - want).masked_fill(impossible, 0));
      EXPECT_LT(of_log, 1e-5) << in(c, type);
      measured("posterior, probabilities, " + in(c, type), of_p);
      measured("posterior, logarithms, " + in(c, type), of_log);
    }
    ++compared;
  }
  EXPECT_GT(compared, 0);
}

// Our own draw, two uniforms a position and no table, comes out as often as the reference says.
TEST_P(Parity, DrawsFollowTheReferencesPosterior) {
  const Fixture fixture(GetParam());
  const int64_t repeats = 2000, k = fixture.codes;
  for (const Case& c : cases(fixture)) {
    const Transition q = c.transition(fixture);
    at::Tensor shares;  // (N, K + 1)
    if (fixture.has(c.posterior)) {
      shares = normalised(fixture.rows(c.posterior).to(at::kDouble)).exp();
    } else if (fixture.has(c.truncated) && c.time == 0) {
      shares = normalised(fixture.rows(c.truncated).to(at::kDouble)).exp();
      shares = at::cat({shares, at::zeros({shares.size(0), 1}, at::kDouble)}, 1);
    } else {
      continue;
    }
    const at::Tensor p = c.our_truncated(at::kFloat);
    const int64_t positions = c.x_t.size(0);
    at::Tensor counts = at::zeros({positions, k + 1}, at::kDouble);
    for (uint64_t number = 0; number < repeats; ++number) {
      const UniformGrid noise = uniform_grid(5, Purpose::sample, {number}, c.time, positions);
      const at::Tensor first = noise.first[0], second = noise.second[0];
      const at::Tensor chosen = may_change(q, c.x_t.eq(k), first).nonzero().squeeze(1);
      const auto at_chosen = [&](const at::Tensor& all) { return all.index_select(0, chosen); };
      const at::Tensor result = c.x_t.index_copy(
          0, chosen,
          draw_posterior(q, at_chosen(p), at_chosen(c.x_t), at_chosen(first), at_chosen(second)));
      counts.scatter_add_(1, result.unsqueeze(1), at::ones({positions, 1}, at::kDouble));
    }
    vq::testing::ChiSquare all{0, 0};
    for (int64_t n = 0; n < positions; ++n) {
      const auto list = [&](const at::Tensor& table) {
        const double* from = table[n].data_ptr<double>();
        return std::vector<double>(from, from + k + 1);
      };
      const auto one = vq::testing::chi_square(list(counts), list(shares));
      all.statistic += one.statistic, all.degrees += one.degrees;
    }
    EXPECT_TRUE(all.plausible()) << c.name << " " << all.statistic << " with " << all.degrees;
    measured("chi-square per degree of freedom, " + c.name, all.statistic / all.degrees);
    EXPECT_EQ(counts.masked_select(shares.lt(1e-12)).sum().item<double>(), 0) << c.name;
  }
}

}  // namespace

INSTANTIATE_TEST_SUITE_P(Fixtures, Parity, ::testing::ValuesIn(fixture_folders()),
                         [](const auto& info) {
                           std::string name = std::to_string(info.index) + "_" +
                                              std::filesystem::path(info.param).filename().string();
                           for (char& c : name) {
                             if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
                           }
                           return name;
                         });

}  // namespace vq::parity
