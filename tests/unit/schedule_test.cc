#include "lib/diffusion/schedule.h"

#include <gtest/gtest.h>

#include <cmath>

#include "formats/error.h"
#include "tests/unit/brute_force.h"

namespace vq {
namespace {

using testing::Matrix;

TEST(Schedule, ClosedFormEqualsProductOfStepsForEveryPair) {
  for (const std::string& name : Schedule::names()) {
    for (const int k : {3, 5}) {
      for (int steps = 2; steps <= 8; ++steps) {
        const Schedule schedule = Schedule::make(name, steps, k);
        for (int s = 0; s < steps; ++s) {
          for (int t = s + 1; t <= steps; ++t) {
            const Transition q = schedule.between(s, t);
            const Matrix closed = testing::step_matrix(q.alpha, q.beta, q.gamma, k);
            const Matrix brute = testing::steps_between(schedule, s, t);
            for (int i = 0; i <= k; ++i) {
              for (int j = 0; j <= k; ++j) {
                ASSERT_NEAR(closed[i][j], brute[i][j], 1e-12)
                    << name << " K " << k << " " << s << " -> " << t;
              }
            }
          }
        }
      }
    }
  }
}

// Eq. 4 prints K + 1 below beta_bar. With K + 1 the distribution of x_t would not sum to one.
TEST(Schedule, ProbabilitiesSumToOneWithKAndNotWithKPlusOne) {
  const int k = 5;
  const Schedule schedule = Schedule::make("replace", 8, k);
  for (int t = 1; t <= 8; ++t) {
    const double a = schedule.alpha_bar(t), c = schedule.gamma_bar(t);
    EXPECT_NEAR(a + k * schedule.beta_bar(t) + c, 1, 1e-12);
    const double misprint = (1 - a - c) / (k + 1);
    EXPECT_GT(std::abs(a + k * misprint + c - 1), 1e-7);
  }
}

// Values recomputed from the released formula in double precision.
TEST(Schedule, LinearHasTheReleasedConstants) {
  const Schedule schedule = Schedule::make("linear", 100, 2887);
  EXPECT_NEAR(schedule.alpha_bar(1), 0.99999, 1e-12);
  EXPECT_NEAR(schedule.gamma_bar(1), 9e-6, 1e-12);
  EXPECT_NEAR(schedule.alpha_bar(50), 0.505049909, 1e-9);
  EXPECT_NEAR(schedule.gamma_bar(50), 0.494949091, 1e-9);
  EXPECT_NEAR(schedule.between(1, 2).alpha, 0.989899081, 1e-9);
  EXPECT_NEAR(schedule.between(49, 50).gamma, 0.0196074625, 1e-9);
  EXPECT_NEAR(schedule.between(99, 100).alpha, 0.000890223725, 1e-11);
  EXPECT_NEAR(std::log(schedule.between(0, 1).beta), -21.78348, 2e-5);
  EXPECT_NEAR(std::log(schedule.between(99, 100).beta), -17.19023, 2e-5);
  for (const int t : {1, 37, 100}) EXPECT_NEAR(2887 * schedule.beta_bar(t), 1e-6, 1e-12);
}

// The released buffers, counted from zero: what step t does is between(t, t + 1).
TEST(Schedule, LinearHasTheReleasedBuffers) {
  const Schedule schedule = Schedule::make("linear", 100, 2887);
  const auto step = [&](int index) { return schedule.between(index, index + 1); };
  const double of_one_step[][3] = {{0, .99999, 9e-6},
                                   {1, .989899081, .0101009091},
                                   {49, .980392499, .0196074625},
                                   {98, .500222655, .499752618},
                                   {99, .000890223725, .99901096}};
  for (const auto& [index, alpha, gamma] : of_one_step) {
    EXPECT_NEAR(step(static_cast<int>(index)).alpha / alpha, 1, 1e-8) << index;
    EXPECT_NEAR(step(static_cast<int>(index)).gamma / gamma, 1, 1e-8) << index;
  }
  EXPECT_NEAR(schedule.alpha_bar(99), .0101098182, 1e-10);
  EXPECT_NEAR(schedule.gamma_bar(99), .989889182, 1e-9);
  EXPECT_NEAR(std::log(step(0).gamma), -11.61829, 5e-6);
  EXPECT_NEAR(std::log(step(99).gamma), -9.895291e-4, 1e-10);
  EXPECT_NEAR(std::log(step(99).alpha), -7.024038, 5e-7);
  EXPECT_NEAR(std::log(schedule.gamma_bar(1)), -11.61829, 5e-6);
  EXPECT_NEAR(std::log(schedule.gamma_bar(100)), -1.000005e-5, 1e-11);
  EXPECT_NEAR(std::log(schedule.alpha_bar(100)), -11.61829, 5e-6);

  // A millionth of the mass is replaced at any time, and little of it in any one step.
  const double replaced[][2] = {
      {0, 1e-6}, {1, 1.01e-8}, {49, 3.8e-8}, {98, 2.47e-5}, {99, 9.88e-5}};
  for (const auto& [index, share] : replaced) {
    EXPECT_NEAR(2887 * step(static_cast<int>(index)).beta / share, 1, 0.02) << index;
  }
  double sum = 0;
  for (int t = 0; t < 100; ++t) {
    sum += 2887 * step(t).beta;
    EXPECT_NEAR(std::log(schedule.beta_bar(t + 1)), -21.78348, 5e-6) << t;
    // [mask] positions of 32 x 32 that a step reveals.
    const double revealed = 1024 * (schedule.gamma_bar(t + 1) - schedule.gamma_bar(t));
    EXPECT_NEAR(revealed, t == 0 ? 0.0092 : 10.34, t == 0 ? 1e-4 : 5e-3) << t;
  }
  EXPECT_NEAR(sum, 1.6e-4, 5e-6);
}

// q(x_t | x_0) for K = 4, T = 100, counted from zero.
TEST(Schedule, ReproducesTheReleasedNoising) {
  const Schedule schedule = Schedule::make("linear", 100, 4);
  const auto stays = [&](int t) { return schedule.alpha_bar(t) + schedule.beta_bar(t); };
  EXPECT_NEAR(schedule.beta_bar(1), 2.5e-7, 1e-15);
  EXPECT_NEAR(stays(1), .99999025, 1e-12);
  EXPECT_NEAR(schedule.gamma_bar(1), 9e-6, 1e-15);
  EXPECT_NEAR(stays(51), .494949341, 1e-9);
  EXPECT_NEAR(schedule.gamma_bar(51), .505049909, 1e-9);
  EXPECT_NEAR(stays(100), 9.25e-6, 1e-14);
  EXPECT_NEAR(schedule.gamma_bar(100), .99999, 1e-12);
}

TEST(Schedule, RealTimesLieBetweenTheTrainedOnes) {
  const Schedule schedule = Schedule::make("cosine", 10, 7);
  EXPECT_NEAR(schedule.gamma_bar(3.5), (schedule.gamma_bar(3) + schedule.gamma_bar(4)) / 2, 1e-15);
  // Two half steps make a step.
  const Transition whole = schedule.between(3, 4), first = schedule.between(3, 3.5),
                   second = schedule.between(3.5, 4);
  EXPECT_NEAR(first.alpha * second.alpha, whole.alpha, 1e-12);
  EXPECT_NEAR((1 - first.gamma) * (1 - second.gamma), 1 - whole.gamma, 1e-12);
}

TEST(Schedule, MaskRateIsTheSlopeOfGammaBar) {
  for (const std::string& name : Schedule::names()) {
    const Schedule schedule = Schedule::make(name, 5, 7);
    for (const double t : {0.3, 1.0, 1.5, 3.0, 4.99, 5.0}) {
      const double h = 1e-3;  // to the left, where a whole time belongs
      const double slope = (schedule.gamma_bar(t) - schedule.gamma_bar(t - h)) / h;
      EXPECT_NEAR(schedule.mask_rate(t), slope, 1e-9) << name << " " << t;
    }
  }
}

TEST(Schedule, WithoutReplacementMasksAsFast) {
  const Schedule replaces = Schedule::make("replace", 8, 5), masks = replaces.without_replacement();
  for (int t = 1; t <= 8; ++t) {
    EXPECT_EQ(masks.gamma_bar(t), replaces.gamma_bar(t));
    const Transition q = masks.between(t - 1, t);
    EXPECT_EQ(q.beta_bar_t, 0);
    EXPECT_EQ(q.beta, 0);
  }
}

TEST(Schedule, SamplingTimesRunFromTheLastToZero) {
  const Schedule schedule = Schedule::make("linear", 100, 16);
  EXPECT_EQ(schedule.sampling_times(4), (std::vector<double>{100, 75, 50, 25, 0}));
  EXPECT_EQ(schedule.sampling_times(200).size(), 201u);
  const std::vector<double> cosine = schedule.sampling_times(3, Spacing::cosine);
  ASSERT_EQ(cosine.size(), 4u);
  EXPECT_EQ(cosine[0], 100);
  EXPECT_NEAR(cosine[1], 50 * std::sqrt(3.0), 1e-12);
  EXPECT_NEAR(cosine[2], 50, 1e-12);
  EXPECT_EQ(cosine[3], 0);
  EXPECT_EQ(schedule.table_row(100), 99);
  EXPECT_EQ(schedule.table_row(0.2), 0);
  EXPECT_EQ(schedule.table_row(1), 0);
}

TEST(Schedule, MaskShareFindsTheNearestTime) {
  const Schedule schedule = Schedule::make("linear", 100, 16);
  EXPECT_EQ(schedule.time_of_mask_share(0), 0);
  EXPECT_EQ(schedule.time_of_mask_share(1), 100);
  const int t = schedule.time_of_mask_share(0.5);
  for (int other = 0; other <= 100; ++other) {
    EXPECT_LE(std::abs(schedule.gamma_bar(t) - 0.5),
              std::abs(schedule.gamma_bar(other) - 0.5) + 1e-15);
  }
}

TEST(Schedule, RefusesWhatIsNoSchedule) {
  EXPECT_THROW(Schedule::make("linaer", 100, 16), Error);
  EXPECT_THROW(Schedule::make("linear", 0, 16), Error);
  EXPECT_THROW(Schedule("mine", {0.5, 0.6}, {0.5, 0.4}, 4), Error);  // noise that goes away
  EXPECT_THROW(Schedule("mine", {0.9}, {0.2}, 4), Error);            // more than everything
  EXPECT_THROW(Schedule::make("linear", 10, 4).between(5, 5), Error);
}

}  // namespace
}  // namespace vq
