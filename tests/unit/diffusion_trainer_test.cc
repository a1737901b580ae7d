#include "lib/training/diffusion_trainer.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <cmath>

#include "formats/error.h"
#include "lib/sampling/sampler.h"
#include "tests/unit/temp_folder.h"
#include "tests/unit/tiny_model.h"

namespace vq {
namespace {

// Grids of one code each: the caption names the code.
TokenSet one_colour_set() {
  TokenSet set;
  set.header.height = 2, set.header.width = 2, set.header.codebook_size = 3,
  set.header.codec = std::string(64, 'c');
  const std::vector<std::string> words = {"red", "green", "blue"};
  set.tokens = at::empty({30, 4}, at::kShort);
  for (int64_t i = 0; i < 30; ++i) {
    set.tokens[i].fill_(i % 3);
    set.captions.push_back(
        {words[static_cast<size_t>(i % 3)], "all " + words[static_cast<size_t>(i % 3)]});
    set.labels.push_back(i % 3);
  }
  return set;
}

struct Training {
  TokenSet set = one_colour_set();
  std::unique_ptr<DiffusionModel> model;
  std::unique_ptr<DiffusionTrainer> trainer;

  explicit Training(const DiffusionTrainingOptions& options, const char* condition = "caption",
                    const char* objective = "bound") {
    DiffusionModelConfig config = testing::tiny_config(2, 2, 3, 10);
    config.objective = objective;
    config.condition = condition_for(set, condition, {1, 32, 1, 0, 0});
    auto vocabulary = vocabulary_for(set, config.condition, 40, 8);
    model = std::make_unique<DiffusionModel>(config, std::move(vocabulary), options.seed);
    trainer = std::make_unique<DiffusionTrainer>(*model, set, options, at::kCPU);
  }

  std::vector<at::Tensor> weights() const {
    std::vector<at::Tensor> list;
    for (const auto& entry : model->parameters().entries())
      list.push_back(entry.tensor.detach().clone());
    return list;
  }
};

DiffusionTrainingOptions options(int64_t steps, const char* method = "adamw") {
  DiffusionTrainingOptions o;
  o.batch = 16, o.steps = steps, o.warmup = 5, o.average_decay = 0.9, o.seed = 3;
  o.optimiser.method = method, o.optimiser.learning_rate = 5e-3;
  return o;
}

// Law 8, for both optimisers and objectives: stopped anywhere and gone on with, the weights are the
// same to the bit. Sixteen records a step see every one of ten times before the break, and what was
// seen decides what is drawn after it.
TEST(DiffusionTrainer, GoesOnBitExactly) {
  const TempFolder folder;
  struct Case {
    const char *method, *objective, *timesteps_drawn;
  };
  for (const auto& [method, objective, drawn] : {Case{"adamw", "bound", "importance"},
                                                 {"muon", "bound", "importance"},
                                                 {"adamw", "masked", "importance"},
                                                 {"adamw", "masked", "stratified"}}) {
    DiffusionTrainingOptions o = options(25, method);
    o.timesteps_drawn = drawn;
    Training whole(o, "caption", objective);
    whole.trainer->run([](const DiffusionStep&) { return true; });

    Training first(o, "caption", objective);
    EXPECT_FALSE(first.trainer->run([](const DiffusionStep& s) { return s.step < 13; }));
    first.trainer->save_state(folder / "s");
    Training second(o, "caption", objective);
    second.trainer->load_state(folder / "s");
    EXPECT_EQ(second.trainer->steps_done(), 13);
    EXPECT_TRUE(second.trainer->run([](const DiffusionStep&) { return true; }));

    const auto want = whole.weights(), got = second.weights();
    for (size_t i = 0; i < want.size(); ++i)
      EXPECT_TRUE(at::equal(want[i], got[i])) << method << " " << objective << " " << i;
    whole.trainer->save(folder / "a", Json::array(), true);
    second.trainer->save(folder / "b", Json::array(), true);
    EXPECT_EQ(read_file(folder / "a"), read_file(folder / "b"));
  }
}

TEST(DiffusionTrainer, RefusesToGoOnWithOtherOptions) {
  const TempFolder folder;
  Training first(options(4));
  first.trainer->step();
  first.trainer->save_state(folder / "s");
  const auto refusal = [&](const DiffusionTrainingOptions& o, const char* objective) {
    try {
      Training(o, "caption", objective).trainer->load_state(folder / "s");
    } catch (const Error& e) {
      return e.message();
    }
    return std::string();
  };
  DiffusionTrainingOptions other = options(4);
  other.condition_drop = 0.5;
  EXPECT_NE(refusal(other, "bound").find("condition_drop"), std::string::npos);
  EXPECT_NE(refusal(options(4), "masked").find("objective"), std::string::npos);
}

// What it is for: after a little training the samples say what the captions say, and the bound has
// fallen.
TEST(DiffusionTrainer, LearnsWhatTheCaptionsSay) {
  const TempFolder folder;
  for (const auto& [condition, objective] :
       {std::pair<const char*, const char*>{"caption", "bound"},
        {"label", "bound"},
        {"label", "masked"}}) {
    DiffusionTrainingOptions o = options(250);
    o.loss.auxiliary_weight = 0.02;
    Training run(o, condition, objective);
    DiffusionStep last;
    run.trainer->run([&](const DiffusionStep& s) {
      last = s;
      return true;
    });
    EXPECT_LT(
        last.bits,
        0.8);  // knowing nothing takes log2 3 = 1.58 bits a token; drops to the null cost some
    run.trainer->save(folder / "m", Json::array(), true);
    const auto model = DiffusionModel::load(folder / "m", at::kCPU);
    int64_t right = 0;
    for (int64_t code = 0; code < 3; ++code) {
      const auto prepared = std::string(condition) == "caption"
                                ? model->condition().prepare_caption(run.set.captions[code][0])
                                : model->condition().prepare_label(code);
      const at::Tensor rows = at::tensor(prepared, at::kLong).unsqueeze(0).repeat({20, 1});
      std::vector<uint64_t> records;
      for (uint64_t i = 0; i < 20; ++i) records.push_back(i);
      right += sample(*model, {rows, records}, {}).eq(code).sum().item<int64_t>();
    }
    EXPECT_GT(right, 228) << condition << " " << objective;  // of 240: 95 %
  }
}

TEST(DiffusionTrainer, ANonFiniteLossIsNotTakenForTraining) {
  DiffusionTrainingOptions o = options(100);
  o.optimiser.learning_rate = 1e30;
  Training run(o);
  EXPECT_THROW(run.trainer->run([](const DiffusionStep&) { return true; }), Error);
}

TEST(DiffusionTrainer, SaysWhichConditionTheDataCannotGive) {
  TokenSet set = one_colour_set();
  set.captions.clear();
  EXPECT_EQ(condition_for(set, "auto", {}).kind, ConditionKind::label);
  EXPECT_THROW(condition_for(set, "caption", {}), Error);
  EXPECT_EQ(condition_for(set, "none", {}).kind, ConditionKind::none);
  set.labels.clear();
  EXPECT_EQ(condition_for(set, "auto", {}).kind, ConditionKind::none);
}

}  // namespace
}  // namespace vq
