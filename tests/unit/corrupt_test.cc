#include "lib/diffusion/corrupt.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/unit/brute_force.h"

namespace vq {
namespace {

TEST(Corrupt, FollowsTheMatrices) {
  const int k = 4;
  const int64_t length = 30000;
  for (const std::string& name : Schedule::names()) {
    const Schedule schedule = Schedule::make(name, 6, k);
    for (int t = 1; t <= 6; ++t) {
      const UniformGrid noise =
          uniform_grid(3, Purpose::corrupt, {static_cast<uint64_t>(t)}, 0, length);
      const at::Tensor x_0 = at::full({1, length}, 2, at::kLong);
      const at::Tensor x_t = corrupt(schedule, x_0, {t}, noise);
      const at::Tensor counts = at::bincount(x_t.flatten(), {}, k + 1).to(at::kDouble);
      const testing::Matrix q = testing::steps_between(schedule, 0, t);
      std::vector<double> shares;
      for (int j = 0; j <= k; ++j) shares.push_back(q[j][2]);
      const std::vector<double> list(counts.data_ptr<double>(), counts.data_ptr<double>() + k + 1);
      EXPECT_TRUE(testing::chi_square(list, shares).plausible()) << name << " t " << t;
    }
  }
}

TEST(Corrupt, RowsHaveTheirOwnTimes) {
  const Schedule schedule = Schedule::make("linear", 100, 9);
  const at::Tensor x_0 = at::zeros({2, 500}, at::kLong);
  const at::Tensor x_t =
      corrupt(schedule, x_0, {1, 100}, uniform_grid(3, Purpose::corrupt, {0, 1}, 0, 500));
  EXPECT_LT(x_t[0].eq(9).sum().item<int64_t>(), 5);
  EXPECT_GT(x_t[1].eq(9).sum().item<int64_t>(), 495);
}

TEST(Corrupt, MaskTokensMasksAtRealTimesAndReplacesNothing) {
  const int64_t length = 30000;
  const at::Tensor x_0 = at::full({2, length}, 2, at::kLong);
  for (const std::string& name : Schedule::names()) {
    const Schedule schedule = Schedule::make(name, 6, 4);
    const std::vector<double> times = {0.4, 3.7};
    const at::Tensor x_t =
        mask_tokens(schedule, x_0, times, uniform_grid(3, Purpose::corrupt, {0, 1}, 0, length));
    EXPECT_TRUE(x_t.eq(2).logical_or(x_t.eq(4)).all().item<bool>()) << name;
    for (int b = 0; b < 2; ++b) {
      const double masked = x_t[b].eq(4).sum().item<double>(), share = schedule.gamma_bar(times[b]);
      const std::vector<double> counts = {masked, length - masked};
      EXPECT_TRUE(testing::chi_square(counts, {share, 1 - share}).plausible()) << name;
    }
  }
}

}  // namespace
}  // namespace vq
