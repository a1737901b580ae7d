#include "lib/training/checkpoint.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "formats/error.h"
#include "lib/random.h"
#include "lib/weights/layers.h"

namespace vq {
namespace {

// A network of two layers that learns a fixed function; its data is a function of the step.
struct Small {
  explicit Small(const OptimiserOptions& options)
      : parameters(3),
        first(parameters, "first", 4, 8, 0.5),
        head(parameters, "head", 8, 2, 0.5),
        seen(parameters.buffer("seen", at::zeros({1}, at::kLong))),
        optimiser(parameters, options),
        average(parameters, 0.9) {}

  void step(int64_t number) {
    const UniformGrid grid =
        uniform_grid(5, Purpose::augment, {0, 1, 2}, static_cast<uint32_t>(number), 4);
    const at::Tensor x = grid.first.to(at::kFloat), y = grid.second.to(at::kFloat).narrow(1, 0, 2);
    (head(at::relu(first(x))) - y).pow(2).sum().backward();
    optimiser.step(1);
    average.update();
    seen.add_(1);
  }

  Parameters parameters;
  Linear first, head;
  at::Tensor seen;
  Optimiser optimiser;
  Average average;
};

class CheckpointTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    path_ = testing::TempDir() + "checkpoint_test." + GetParam() + ".state";
    options_.method = GetParam();
  }
  void TearDown() override { std::filesystem::remove(path_); }
  std::string path_;
  OptimiserOptions options_;
};

// Law 8: interrupted at any step and resumed gives bit-identical weights.
TEST_P(CheckpointTest, StopAndGoOnGivesTheSameBits) {
  constexpr int kSteps = 6;
  Small whole(options_);
  for (int step = 0; step < kSteps; ++step) whole.step(step);
  for (int stop = 0; stop <= kSteps; ++stop) {
    Small before(options_);
    for (int step = 0; step < stop; ++step) before.step(step);
    const Checkpoint facts{"codec", {{"width", 8}}, {{"batch", 3}}, stop, 1.5, {{"x", "y"}}};
    save_checkpoint(path_, facts, before.parameters, before.optimiser, before.average);

    const CheckpointFile file = open_checkpoint(path_);
    EXPECT_EQ(file.checkpoint.kind, "codec");
    EXPECT_EQ(file.checkpoint.config, facts.config);
    EXPECT_EQ(file.checkpoint.options, facts.options);
    EXPECT_EQ(file.checkpoint.step, stop);
    EXPECT_EQ(file.checkpoint.seconds, 1.5);
    EXPECT_EQ(file.checkpoint.more, facts.more);
    Small after(options_);
    after.step(77);  // a network that is somewhere else
    load_checkpoint(file, after.parameters, after.optimiser, after.average);
    for (int step = stop; step < kSteps; ++step) after.step(step);

    for (const auto& entry : whole.parameters.entries()) {
      EXPECT_TRUE(at::equal(entry.tensor, after.parameters.get(entry.name)))
          << entry.name << " after a stop at " << stop;
    }
    const auto expected = whole.average.tensors(), averaged = after.average.tensors();
    for (size_t i = 0; i < expected.size(); ++i) {
      EXPECT_TRUE(at::equal(expected[i].tensor, averaged[i].tensor)) << expected[i].name;
    }
    EXPECT_EQ(whole.average.steps(), after.average.steps());
  }
}

INSTANTIATE_TEST_SUITE_P(Methods, CheckpointTest, testing::Values("adamw", "muon"));

TEST(Checkpoint, IsNotAModelAndAModelIsNotACheckpoint) {
  const std::string path = testing::TempDir() + "checkpoint_kind_test.safetensors";
  Small small({});
  save_checkpoint(path, {"codec", {}, {}, 0, 0, {}}, small.parameters, small.optimiser,
                  small.average);
  EXPECT_THROW(open_model(path, "codec"), Error);
  save_model(path, "codec", Json::object(), Json::array(), {}, true);
  EXPECT_THROW(open_checkpoint(path), Error);
  save_model(path, "training-state", {{"of", "codec"}}, Json::array(), {}, true);
  EXPECT_THROW(open_checkpoint(path), Error);
  save_model(path, "training-state", {{"of", 3}}, Json::array(), {}, true);
  EXPECT_THROW(open_checkpoint(path), Error);
  std::filesystem::remove(path);
}

TEST(CheckSameOptions, NamesTheFirstDifference) {
  const Json then = {{"batch", 8}, {"steps", 100}}, same = {{"batch", 8}, {"steps", 200}};
  EXPECT_NO_THROW(check_same_options(then, same, {"steps"}, "a.state"));
  try {
    check_same_options(then, {{"batch", 9}, {"steps", 100}}, {"steps"}, "a.state");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.where(), "a.state");
    EXPECT_EQ(e.message(), "the interrupted run had batch 8, this one has 9");
    EXPECT_EQ(e.kind(), Error::Kind::usage);
  }
  EXPECT_THROW(check_same_options(then, {{"seed", 1}}, {}, "a.state"), Error);
}

// An option that the interrupted run had and this one has not is a difference too.
TEST(CheckSameOptions, SeesAnOptionThatIsGone) {
  EXPECT_THROW(check_same_options({{"batch", 8}, {"flip", true}}, {{"batch", 8}}, {}, "a.state"),
               Error);
}

}  // namespace
}  // namespace vq
