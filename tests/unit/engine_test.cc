#include "lib/diffusion/engine.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <memory>
#include <tuple>
#include <vector>

#include "formats/error.h"
#include "lib/diffusion/engine_cpu.h"
#include "lib/diffusion/engine_device.h"
#include "lib/runtime/device.h"
#include "tests/unit/loud_denoiser.h"

namespace vq {
namespace {

using testing::Net;

enum class Kind { cpu_bf16, cpu_int8, device };

class Engine : public ::testing::TestWithParam<std::tuple<ConditionKind, Kind, bool>> {
 protected:
  const ConditionKind kind = std::get<0>(GetParam());
  const Kind engine_kind = std::get<1>(GetParam());
  const bool convolutions = std::get<2>(GetParam());
  const double error = engine_kind == Kind::cpu_int8 ? 0.04 : 0.01;  // of what they round

  std::unique_ptr<DenoiserEngine> make(const Net& net) const {
    if (engine_kind == Kind::device) return std::make_unique<DeviceEngine>(*net.denoiser, nullptr);
    const Precision p = engine_kind == Kind::cpu_int8 ? Precision::int8 : Precision::bf16;
    return std::make_unique<CpuEngine>(*net.denoiser, p, nullptr);
  }
};

TEST_P(Engine, IsTheDenoiserAtTheChosenRows) {
  const at::NoGradGuard no_grad;
  const Net net(kind, 3, convolutions);
  const Features features = net.features(3);
  const at::Tensor x_t = at::randint(31, {3, 20}, at::kLong);
  const auto engine = make(net);
  const DenoiserEngine::Prepared prepared = engine->prepare(features);
  const std::vector<at::Tensor> choices = {at::arange(60), at::tensor({3, 19, 20, 44, 59}),
                                           at::tensor({7}), at::tensor({20, 21})};
  for (const std::vector<int64_t>& times : {std::vector<int64_t>{4, 4, 4}, {9, 0, 4}}) {
    const at::Tensor whole =
        net.denoiser->hidden(x_t, at::tensor(times, at::kLong), features).flatten(0, 1);
    for (const at::Tensor& chosen : choices) {
      const at::Tensor expected = whole.index_select(0, chosen);
      const at::Tensor got = engine->hidden(x_t, times, prepared, chosen);
      ASSERT_EQ(got.sizes(), expected.sizes());
      EXPECT_LT(((got - expected).norm() / expected.norm()).item<double>(), error);
      const at::Tensor logits = net.denoiser->head(expected);
      EXPECT_LT(((engine->head(got) - logits).norm() / logits.norm()).item<double>(), 2 * error);
    }
  }
}

// What the first test's bound is worth: a condition or a time taken for another is five times as
// far.
TEST_P(Engine, IsNotTheDenoiserOfAnotherTimeOrCondition) {
  const at::NoGradGuard no_grad;
  const Net net(kind, 3, convolutions);
  const Features features = net.features(2);
  const at::Tensor x_t = at::randint(31, {1, 20}, at::kLong).expand({2, 20});
  const auto engine = make(net);
  const DenoiserEngine::Prepared prepared = engine->prepare(features);
  const at::Tensor here = engine->hidden(x_t, {4, 4}, prepared, at::arange(40));
  const at::Tensor later = engine->hidden(x_t, {5, 5}, prepared, at::arange(40));
  EXPECT_GT(((here - later).norm() / here.norm()).item<double>(), 0.05);
  const double between =
      ((here.slice(0, 0, 20) - here.slice(0, 20)).norm() / here.norm()).item<double>();
  if (kind == ConditionKind::none) {
    EXPECT_EQ(between, 0);
  } else {
    EXPECT_GT(between, 0.05);
  }
}

TEST_P(Engine, ItemDoesNotDependOnTheOthers) {
  const at::NoGradGuard no_grad;
  const Net net(kind, 3, convolutions);
  const Features features = net.features(4);
  const at::Tensor x_t = at::randint(31, {4, 20}, at::kLong);
  const std::vector<int64_t> times = {1, 9, 9, 3};
  const auto engine = make(net);
  const DenoiserEngine::Prepared prepared = engine->prepare(features);
  const at::Tensor all = engine->hidden(x_t, times, prepared, at::arange(80));
  const at::Tensor logits = engine->head(all);
  for (int64_t b = 0; b < 4; ++b) {
    const at::Tensor alone = engine->hidden(x_t.slice(0, b, b + 1), {times[b]},
                                            prepared.rows(at::tensor({b})), at::tensor({2, 13}));
    EXPECT_TRUE(alone.equal(all.index_select(0, at::tensor({20 * b + 2, 20 * b + 13})))) << b;
    EXPECT_TRUE(engine->head(alone.slice(0, 0, 1)).equal(logits.slice(0, 20 * b + 2, 20 * b + 3)));
  }
}

// More patches than are multiplied at once.
TEST_P(Engine, ManyItemsAreThoseOfEachAlone) {
  const at::NoGradGuard no_grad;
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const Net net(kind, 2, convolutions);
  const Features features = net.features(60);
  const at::Tensor x_t = at::randint(31, {60, 20}, at::kLong);
  const auto engine = make(net);
  const DenoiserEngine::Prepared prepared = engine->prepare(features);
  const at::Tensor all =
      engine->hidden(x_t, std::vector<int64_t>(60, 4), prepared, at::arange(1200));
  for (const int64_t b : {0, 51, 59}) {
    const at::Tensor alone =
        engine->hidden(x_t.slice(0, b, b + 1), {4}, prepared.rows(at::tensor({b})), at::arange(20));
    EXPECT_TRUE(alone.equal(all.slice(0, 20 * b, 20 * b + 20))) << b;
  }
  at::set_num_threads(before);
}

// Shared out among threads or not, items come out the same, under autocast too, as programs sample;
// some threads may have nothing to do.
TEST_P(Engine, IsTheSameOnAnyNumberOfThreads) {
  const at::NoGradGuard no_grad;
  const AutocastScope autocast(at::kCPU, Precision::bf16);
  const int before = at::get_num_threads();
  const Net net(kind, 3, convolutions);
  const Features features = net.features(6);
  const at::Tensor x_t = at::randint(31, {6, 20}, at::kLong);
  const std::vector<int64_t> times = {1, 9, 9, 3, 0, 9};
  for (const at::Tensor& chosen :
       {at::arange(120), at::tensor({0, 21, 39, 60, 119}), at::tensor({85})}) {
    std::vector<at::Tensor> results;
    for (const int threads : {1, 2, 3, 4, 5, 6}) {
      at::set_num_threads(threads);
      const auto engine = make(net);
      results.push_back(engine->hidden(x_t, times, engine->prepare(features), chosen));
    }
    for (const at::Tensor& result : results) EXPECT_TRUE(result.equal(results.front()));
  }
  at::set_num_threads(before);
}

// ---- kept positions

class KeepingEngine : public Engine {};  // those of a CPU

DenoiserEngine::Kept keep(int every, size_t items) {
  DenoiserEngine::Kept kept;
  kept.every = every, kept.steps.assign(items, 0);
  return kept;
}

// Where nothing around them has changed, the chosen positions come out as if all were computed; and
// in the step in which all are computed, whatever has changed.
TEST_P(KeepingEngine, KeptPositionsAreThoseThatWouldBeComputed) {
  const at::NoGradGuard no_grad;
  const Net net(kind, 3, convolutions);
  const auto engine = make(net);
  const DenoiserEngine::Prepared prepared = engine->prepare(net.features(2));
  const at::Tensor x_t = at::randint(31, {2, 20}, at::kLong);
  const at::Tensor other = at::randint(31, {2, 20}, at::kLong);
  DenoiserEngine::Kept kept = keep(3, 2);
  const auto keeping = [&](const at::Tensor& x, int64_t time, const at::Tensor& chosen) {
    return engine->hidden_keeping(x, {time, time}, prepared, chosen, {0, 1}, kept);
  };
  const auto exact = [&](const at::Tensor& x, int64_t time, const at::Tensor& chosen) {
    return engine->hidden(x, {time, time}, prepared, chosen);
  };
  const at::Tensor some = at::tensor({0, 7, 39}), one = at::tensor({21});
  EXPECT_TRUE(keeping(x_t, 4, some).equal(exact(x_t, 4, some)));
  EXPECT_TRUE(keeping(x_t, 4, one).equal(exact(x_t, 4, one)));
  EXPECT_FALSE(keeping(x_t, 9, one).equal(exact(x_t, 9, one)));  // the time of the others is old
  EXPECT_TRUE(keeping(other, 9, some).equal(exact(other, 9, some)));
}

// In a network of one layer keys and values depend on their own token only, so a changed token
// shows at once.
TEST_P(KeepingEngine, KeptPositionsFollowTheirTokens) {
  const at::NoGradGuard no_grad;
  const Net net(kind, /*layers=*/1, convolutions);
  const auto engine = make(net);
  const DenoiserEngine::Prepared prepared = engine->prepare(net.features(3));
  at::Tensor x_t = at::randint(30, {3, 20}, at::kLong);
  DenoiserEngine::Kept kept = keep(100, 3);
  for (int64_t step = 0; step < 4; ++step) {
    const at::Tensor chosen = at::tensor({step, int64_t{19}, 20 + step, int64_t{44}});
    const at::Tensor got =
        engine->hidden_keeping(x_t, {4, 4, 4}, prepared, chosen, {0, 1, 2}, kept);
    EXPECT_TRUE(got.equal(engine->hidden(x_t, {4, 4, 4}, prepared, chosen))) << step;
    x_t = x_t.clone();
    x_t[0][3 * step] = 30, x_t[2][5] = step;
  }
}

// Which positions are computed is the item's own affair: others may run beside it or not.
TEST_P(KeepingEngine, AnItemKeepsByItself) {
  const at::NoGradGuard no_grad;
  const Net net(kind, 3, convolutions);
  const auto engine = make(net);
  const DenoiserEngine::Prepared prepared = engine->prepare(net.features(2));
  DenoiserEngine::Kept together = keep(2, 2), alone = keep(2, 1);
  const DenoiserEngine::Prepared own = prepared.range(1, 1);
  for (int64_t step = 0; step < 6; ++step) {
    const at::Tensor x_t = at::randint(31, {2, 20}, at::kLong), chosen = at::tensor({3, 20, 33});
    const at::Tensor mine = x_t.slice(0, 1, 2), of_mine = at::tensor({0, 13});
    const at::Tensor want = engine->hidden_keeping(mine, {step}, own, of_mine, {0}, alone);
    const at::Tensor got =  // in some steps beside the other one
        step % 3 == 1
            ? engine->hidden_keeping(mine, {step}, own, of_mine, {1}, together)
            : engine->hidden_keeping(x_t, {step, step}, prepared, chosen, {0, 1}, together)
                  .slice(0, 1, 3);
    EXPECT_TRUE(got.equal(want)) << step;
  }
}

TEST(CpuEngine, KeepsNothingWhereCellsDependOnThoseAroundThem) {
  EXPECT_TRUE(CpuEngine(*Net(ConditionKind::none).denoiser, Precision::bf16, nullptr).keeps());
  const Net net(ConditionKind::none, 1, /*convolutions=*/true);
  EXPECT_FALSE(CpuEngine(*net.denoiser, Precision::bf16, nullptr).keeps());
}

TEST(DeviceEngine, KeepsNothing) {
  const Net net(ConditionKind::none);
  const DeviceEngine engine(*net.denoiser, nullptr);
  EXPECT_FALSE(engine.keeps());
  DenoiserEngine::Kept kept = keep(2, 1);
  EXPECT_THROW(engine.hidden_keeping(at::zeros({1, 20}, at::kLong), {0},
                                     engine.prepare(net.features(1)), at::tensor({0}), {0}, kept),
               Error);
}

INSTANTIATE_TEST_SUITE_P(Conditions, KeepingEngine,
                         ::testing::Combine(::testing::Values(ConditionKind::none,
                                                              ConditionKind::label,
                                                              ConditionKind::caption),
                                            ::testing::Values(Kind::cpu_bf16, Kind::cpu_int8),
                                            ::testing::Values(false)));

INSTANTIATE_TEST_SUITE_P(
    Conditions, Engine,
    ::testing::Combine(::testing::Values(ConditionKind::none, ConditionKind::label,
                                         ConditionKind::caption),
                       ::testing::Values(Kind::cpu_bf16, Kind::cpu_int8, Kind::device),
                       ::testing::Bool()));

}  // namespace
}  // namespace vq
