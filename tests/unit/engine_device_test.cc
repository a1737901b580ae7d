#include "lib/diffusion/engine_device.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "tests/unit/loud_denoiser.h"
#include "tests/unit/pretended_plugin.h"

namespace vq {
namespace {

using testing::Net;
using testing::PretendedPlugin;

// Of bf16 between two orders of the same sums; another time or condition is five times as far
// (engine_test).
constexpr double kRounding = 0.01;

class EngineDevice : public ::testing::TestWithParam<ConditionKind> {};

// Whatever a replay is given, a step's grid, times and condition are those of the step: batches of
// other sizes in between, another condition for the same size, one that was there before.
TEST_P(EngineDevice, ReplaysTheStepAtHand) {
  const at::NoGradGuard no_grad;
  const Net net(GetParam());
  const PretendedPlugin plugin;
  const DeviceEngine replaying(*net.denoiser, &plugin), plain(*net.denoiser, nullptr);
  struct Batch {
    int64_t rows;
    Features features;
    DenoiserEngine::Prepared prepared, same;
  };
  std::vector<Batch> batches;
  for (const int64_t rows : {2, 3, 2}) {
    const Features features = net.features(rows);
    batches.push_back({rows, features, replaying.prepare(features), plain.prepare(features)});
  }
  std::reverse(batches[2].prepared.label_norm.begin(), batches[2].prepared.label_norm.end());
  std::reverse(batches[2].same.label_norm.begin(), batches[2].same.label_norm.end());
  for (const size_t number : {0, 0, 0, 1, 2, 2, 0, 1, 1, 0, 2}) {
    const Batch& batch = batches[number];
    const at::Tensor x_t = at::randint(31, {batch.rows, 20}, at::kLong);
    std::vector<int64_t> times;
    for (int64_t b = 0; b < batch.rows; ++b) times.push_back(at::randint(10, {1}).item<int64_t>());
    const at::Tensor chosen = at::tensor({1, 19, 20, 39});
    const at::Tensor got = replaying.hidden(x_t, times, batch.prepared, chosen);
    const at::Tensor want = plain.hidden(x_t, times, batch.same, chosen);
    EXPECT_LT(((got - want).norm() / want.norm()).item<double>(), kRounding) << number;
  }
  EXPECT_EQ(plugin.captures, 2);
  EXPECT_EQ(plugin.replays, 9);  // all but the first of each size
  EXPECT_GT(plugin.norms, 0);
}

// Parts of what was prepared have no number: they are never taken for what is there.
TEST_P(EngineDevice, ReplaysPartsOfACondition) {
  const at::NoGradGuard no_grad;
  const Net net(GetParam());
  const PretendedPlugin plugin;
  const DeviceEngine replaying(*net.denoiser, &plugin), plain(*net.denoiser, nullptr);
  const DenoiserEngine::Prepared all = replaying.prepare(net.features(4));
  const at::Tensor x_t = at::randint(31, {2, 20}, at::kLong), chosen = at::arange(40);
  for (const int64_t first : {0, 2, 1, 0}) {
    const at::Tensor got = replaying.hidden(x_t, {3, 4}, all.range(first, 2), chosen);
    const at::Tensor want = plain.hidden(x_t, {3, 4}, all.range(first, 2), chosen);
    EXPECT_LT(((got - want).norm() / want.norm()).item<double>(), kRounding) << first;
  }
}

TEST_P(EngineDevice, GoesOnWhereAStepCannotBeCaptured) {
  const at::NoGradGuard no_grad;
  const Net net(GetParam());
  PretendedPlugin plugin;
  plugin.captures_fail = true;
  const DeviceEngine engine(*net.denoiser, &plugin), plain(*net.denoiser, nullptr);
  const DenoiserEngine::Prepared prepared = engine.prepare(net.features(2));
  for (int i = 0; i < 4; ++i) {
    const at::Tensor x_t = at::randint(31, {2, 20}, at::kLong), chosen = at::arange(40);
    const at::Tensor got = engine.hidden(x_t, {i, 4}, prepared, chosen);
    const at::Tensor want = plain.hidden(x_t, {i, 4}, prepared, chosen);
    EXPECT_LT(((got - want).norm() / want.norm()).item<double>(), kRounding) << i;
  }
  EXPECT_EQ(plugin.captures, 1);
  EXPECT_EQ(plugin.replays, 0);
}

INSTANTIATE_TEST_SUITE_P(Conditions, EngineDevice,
                         ::testing::Values(ConditionKind::none, ConditionKind::label,
                                           ConditionKind::caption));

}  // namespace
}  // namespace vq
