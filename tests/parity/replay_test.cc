// Sampling steps replayed token by token with the reference's own noise.
//
// Covered in full, from the network's output to the drawn grid: every case of the fixture, and each
// step of its whole runs that starts where a case does, with the same prompt, so that the case
// holds the network's output. The fixture holds no other step's output. For all other steps of the
// runs the test is what the noise and the schedule decide without the network: the recorded grid
// must be the draw for at least one guess of x_0. At t = 0 any grid is, so nothing is tested there.
// Grids token for token through every step need the network, and are not covered here.

#include <ATen/ATen.h>

#include "lib/diffusion/posterior.h"
#include "tests/parity/fixture.h"

namespace vq::parity {
namespace {

at::Tensor our_posterior(const Fixture& fixture, const Case& c, at::ScalarType type) {
  const at::Tensor log_p = log_posterior(c.transition(fixture), c.our_truncated(type).log(), c.x_t);
  return log_p.narrow(1, 0, noise_classes(fixture, c.time));
}

TEST_P(Parity, NoiseIsAsDocumented) {
  const Fixture fixture(GetParam());
  const Json& check = fixture.refs["uniform_check"];
  const auto want = check["first8"].get<std::vector<float>>();
  EXPECT_EQ(Noise(check["seed"]).uniforms(static_cast<int64_t>(want.size())), want);
}

TEST_P(Parity, CasesAreReplayedTokenByToken) {
  const Fixture fixture(GetParam());
  for (const Case& c : cases(fixture)) {
    const at::Tensor want = fixture.tensor(c.sample).to(at::kLong);
    const at::Tensor noise =
        Noise(c.noise_seed).gumbel(want.size(0), noise_classes(fixture, c.time), fixture.length);
    for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
      const Draw ours = draw(our_posterior(fixture, c, type), noise);
      EXPECT_TRUE(at::equal(ours.tokens, want.flatten())) << c.name;
      // The closest call of all positions was as close for the reference.
      EXPECT_NEAR(ours.margin, c.margin, 1e-5) << c.name;
      measured("margin, " + c.name, std::abs(ours.margin - c.margin));
    }
  }
}

TEST_P(Parity, StepsOfRunsThatAreCasesAreReplayedTokenByToken) {
  const Fixture fixture(GetParam());
  int replayed = 0;
  for (const WholeRun& run : runs(fixture)) {
    Noise noise(run.noise_seed);
    for (int step = 0; step < run.steps; ++step) {
      const int time = run.steps - 1 - step;
      const at::Tensor gumbel =
          noise.gumbel(run.grids(), noise_classes(fixture, time), fixture.length)
              .view({run.grids(), fixture.length, -1});
      const at::Tensor before = run.before(step, fixture.codes);
      for (const Case& c : cases(fixture)) {
        if (c.time != time || c.guidance != run.guidance || c.truncation != run.truncation)
          continue;
        const Json& prompts = fixture.refs["cases"][c.name]["prompts"];
        const at::Tensor x_t = c.x_t.view({-1, fixture.length});
        const at::Tensor log_p = our_posterior(fixture, c, at::kFloat);
        for (int64_t row = 0; row < x_t.size(0); ++row) {
          const std::string& prompt =
              fixture.refs["prompts"][prompts[row].get<size_t>()].get_ref<const std::string&>();
          for (int64_t b = 0; b < run.grids(); ++b) {
            if (prompt != run.prompts[b] || !at::equal(x_t[row], before[b])) continue;
            const Draw ours =
                draw(log_p.narrow(0, row * fixture.length, fixture.length), gumbel[b]);
            EXPECT_TRUE(at::equal(ours.tokens, run.samples[step][b])) << run.name << " " << time;
            ++replayed;
          }
        }
      }
    }
  }
  if (replayed == 0) GTEST_SKIP() << "no case of this fixture is a step of one of its runs";
  measured("grids of runs replayed from the network's output", replayed);
}

// How many of a step's recorded tokens no guess of x_0 explains, and how many of those that stayed
// [mask] would have for every guess.
struct Explained {
  int64_t contradictions = 0, forced = 0;
};

Explained explain(const Transition& q, int64_t mask, const at::Tensor& before,
                  const at::Tensor& after, const at::Tensor& gumbel) {
  // The chance of each token is linear in the guess, so certain guesses, the identity's rows, hold
  // its extremes.
  const at::Tensor certain = at::eye(mask, at::kDouble).log();
  const at::Tensor noise = gumbel.to(at::kDouble);
  Explained result;

  // A token that came out: the guess most in its favour is the one certain of it.
  const at::Tensor there = after.ne(mask).nonzero().squeeze(1);
  const at::Tensor token = after.index_select(0, there);
  const at::Tensor best =
      log_posterior(q, certain.index_select(0, token), before.index_select(0, there)) +
      noise.index_select(0, there);
  const at::Tensor lead = best.gather(1, token.unsqueeze(1)).squeeze(1) - std::get<0>(best.max(1));
  result.contradictions += lead.lt(-1e-4).sum().item<int64_t>();

  // A position that stayed [mask]: each token's weight is at most what loses to staying, and these
  // bounds must leave room for weights that sum to one.
  result.contradictions += before.ne(mask).logical_and(after.eq(mask)).sum().item<int64_t>();
  const at::Tensor stayed = after.eq(mask).nonzero().squeeze(1);
  if (stayed.numel() == 0) return result;
  const at::Tensor table = log_posterior(q, certain, at::full({mask}, mask, at::kLong)).exp();
  const at::Tensor codes = table.narrow(1, 0, mask);
  const double high = codes[0][0].item<double>(), low = codes[0][1].item<double>();
  const at::Tensor weights = noise.index_select(0, stayed).exp();
  const at::Tensor stay = weights.select(1, mask).unsqueeze(1) * table[0][mask];
  const at::Tensor bound = (stay / weights.narrow(1, 0, mask) - low) / (high - low);
  const at::Tensor room = bound.clamp(0, 1).sum(1);
  result.contradictions += room.lt(1 - 1e-4).sum().item<int64_t>();
  result.forced += std::get<0>(bound.min(1)).ge(1).sum().item<int64_t>();
  return result;
}

Explained explain_run(const Fixture& fixture, const WholeRun& run, uint64_t noise_seed) {
  Noise noise(noise_seed);
  Explained all;
  for (int step = 0; step + 1 < run.steps; ++step) {
    const int time = run.steps - 1 - step;
    const Explained one =
        explain(fixture.schedule.between(time, time + 1), fixture.codes,
                run.before(step, fixture.codes).flatten(), run.samples[step].flatten(),
                noise.gumbel(run.grids(), fixture.codes + 1, fixture.length));
    all.contradictions += one.contradictions, all.forced += one.forced;
  }
  return all;
}

TEST_P(Parity, EveryStepOfTheRunsFollowsFromNoiseAndSchedule) {
  const Fixture fixture(GetParam());
  for (const WholeRun& run : runs(fixture)) {
    ASSERT_EQ(run.samples.size(0), run.steps);
    const Explained ours = explain_run(fixture, run, run.noise_seed);
    EXPECT_EQ(ours.contradictions, 0) << run.name;
    // The test is able to fail: noise shifted by one number does not explain the run.
    const Explained wrong = explain_run(fixture, run, run.noise_seed + 1);
    EXPECT_GT(wrong.contradictions, 0) << run.name;
    EXPECT_TRUE(run.samples[run.steps - 1].ne(fixture.codes).all().item<bool>()) << run.name;
    const auto drawn = static_cast<double>((run.steps - 1) * run.samples[0].numel());
    measured("tokens drawn before t = 0, " + run.name, drawn);
    measured("  of these certain to stay [mask], " + run.name, ours.forced);
    measured("  contradictions with wrong noise, " + run.name, wrong.contradictions);
  }
}

}  // namespace
}  // namespace vq::parity
