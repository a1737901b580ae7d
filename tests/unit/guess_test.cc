#include "lib/sampling/guess.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "formats/error.h"
#include "tests/unit/tiny_model.h"

namespace vq {
namespace {

using testing::tiny_config;
using testing::tiny_model;

std::unique_ptr<DiffusionModel> caption_model() {
  DiffusionModelConfig config = tiny_config(2, 2, 11, 10);
  config.condition.kind = ConditionKind::caption;
  config.condition.text = {1, 32, 2, 0, 6};
  return tiny_model(
      config, 2, Vocabulary::train({"a red ring", "a blue star", "a green ring and a star"}, 60));
}

at::Tensor prepared(const DiffusionModel& model, const std::vector<std::string>& captions) {
  std::vector<at::Tensor> rows;
  for (const std::string& caption : captions)
    rows.push_back(at::tensor(model.condition().prepare_caption(caption), at::kLong));
  return at::stack(rows);
}

// The network as it is, without Guess.
at::Tensor plain(const DiffusionModel& model, const at::Tensor& x, int64_t row,
                 const Features& features) {
  const at::Tensor rows = at::full({x.size(0)}, row, at::kLong);
  return at::log_softmax(model.denoiser().head(model.denoiser().hidden(x, rows, features)), -1);
}

const at::Tensor grids() {
  return at::tensor({11, 11, 3, 11, 5, 11, 11, 11}, at::kLong).view({2, 4});
}

double furthest(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

TEST(Guess, RowsAreThoseThatWereAskedFor) {
  const auto model = caption_model();
  const at::Tensor conditions = prepared(*model, {"a red ring", "a blue star"});
  const Guess guess(*model, conditions, {}, Null::learned, {});
  const at::Tensor got = guess.log_p(guess.ask(grids(), {4, 4}, at::tensor({1, 6, 7}, at::kLong)));
  const at::Tensor all = plain(*model, grids(), 3, model->condition()(conditions));
  EXPECT_LT(furthest(got, all.flatten(0, 1).index_select(0, at::tensor({1, 6, 7}, at::kLong))),
            1e-5);
  EXPECT_EQ(guess.calls(), 1);
}

TEST(Guess, EachRecordHasItsOwnTime) {
  const auto model = caption_model();
  const at::Tensor conditions = prepared(*model, {"a red ring", "a red ring"});
  const at::Tensor same = grids().narrow(0, 0, 1).expand({2, 4});
  const Guess guess(*model, conditions, {}, Null::learned, {});
  const at::Tensor got = guess.log_p(guess.ask(same, {1, 10}, at::tensor({0, 4}, at::kLong)));
  EXPECT_GT(furthest(got[0], got[1]), 1e-3);
  EXPECT_LT(furthest(got[1], plain(*model, same, 9, model->condition()(conditions))[1][0]), 1e-5);
}

TEST(Guess, BothBranchesAreThoseOfTheNetwork) {
  const auto model = caption_model();
  const at::Tensor conditions = prepared(*model, {"a red ring", "a blue star"});
  Guidance guidance;
  guidance.scale = 3;
  const at::Tensor chosen = at::arange(8);
  const auto null_branch = [&](Null null, const at::Tensor& negative) {
    const Guess guess(*model, conditions, guidance, null, negative);
    return guess.both(guess.ask(grids(), {4, 4}, chosen)).null;
  };
  const Condition& condition = model->condition();
  const auto expect = [&](const at::Tensor& got, const Features& features) {
    EXPECT_LT(furthest(got, plain(*model, grids(), 3, features).flatten(0, 1)), 1e-5);
  };
  expect(null_branch(Null::learned, {}), condition.null(2));
  expect(null_branch(Null::empty, {}), condition(prepared(*model, {"", ""})));
  expect(null_branch(Null::zero, {}), {at::zeros_like(condition.null(2).context), {}});
  expect(null_branch(Null::learned, prepared(*model, {"a green ring"})[0]),
         condition(prepared(*model, {"a green ring", "a green ring"})));

  const Guess guess(*model, conditions, guidance, Null::learned, {});
  const Guess::Both both = guess.both(guess.ask(grids(), {4, 4}, chosen));
  expect(both.conditioned, condition(conditions));
  EXPECT_TRUE(at::equal(guess.log_p(guess.ask(grids(), {4, 4}, chosen)),
                        guide(both.conditioned, both.null, both.scale)));
}

// With the engine the same rows come by another way: only some batch items, some of their
// positions, and the null's rows behind the conditioned ones.
TEST(Guess, TheEngineGuessesTheSame) {
  const auto model = caption_model(), fast = caption_model();
  if (!DenoiserEngine::serves(at::kCPU, Precision::bf16))
    GTEST_SKIP() << "this processor has no AVX512_BF16";
  fast->make_engine(Precision::bf16);
  ASSERT_NE(fast->engine(), nullptr);
  fast->make_engine(Precision::fp32);
  ASSERT_EQ(fast->engine(), nullptr);
  fast->make_engine(Precision::bf16);

  const at::Tensor conditions =
      prepared(*model, {"a red ring", "a blue star", "a green ring and a star"});
  const at::Tensor x = at::tensor({11, 11, 3, 11, 5, 11, 11, 11, 11, 2, 2, 11}).view({3, 4});
  Guidance guidance;
  guidance.scale = 3;
  for (const bool guided : {false, true}) {
    const Guidance how = guided ? guidance : Guidance{};
    const Guess exact(*model, conditions, how, Null::learned, {});
    const Guess guess(*fast, conditions, how, Null::learned, {});
    for (const at::Tensor& chosen : {at::tensor({0, 1, 8, 11}), at::arange(12), at::tensor({5})}) {
      const at::Tensor expected = exact.log_p(exact.ask(x, {4, 4, 9}, chosen));
      const double error = furthest(guess.log_p(guess.ask(x, {4, 4, 9}, chosen)), expected);
      EXPECT_LT(error, 0.1);
      EXPECT_GT(furthest(exact.log_p(exact.ask(x, {10, 10, 1}, chosen)), expected), 4 * error);
    }
  }
}

TEST(Guess, NoBranchRunsThatIsNotNeeded) {
  const auto model = caption_model();
  const at::Tensor conditions = prepared(*model, {"a red ring", "a blue star"});
  Guidance guidance;
  guidance.scale = 3, guidance.high = 0.5;  // grids() are three quarters [mask]
  const Guess guess(*model, conditions, guidance, Null::learned, {});
  EXPECT_FALSE(guess.both(guess.ask(grids(), {4, 4}, at::arange(8))).null.defined());
  guidance.high = 0.8;
  const Guess on(*model, conditions, guidance, Null::learned, {});
  EXPECT_TRUE(on.both(on.ask(grids(), {4, 4}, at::arange(8))).null.defined());
}

TEST(Guess, ClassesHaveALearnedNullOnly) {
  DiffusionModelConfig config = tiny_config(2, 2, 5, 4);
  config.condition.kind = ConditionKind::label;
  config.condition.classes = {"cat", "dog"};
  const auto model = tiny_model(config);
  Guidance guidance;
  guidance.scale = 2;
  const at::Tensor label = at::zeros({1, 1}, at::kLong);
  EXPECT_THROW(Guess(*model, label, guidance, Null::empty, {}), Error);
  EXPECT_THROW(Guess(*model, label, guidance, Null::zero, {}), Error);
  Guess(*model, label, guidance, Null::learned, {});
}

}  // namespace
}  // namespace vq
