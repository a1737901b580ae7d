#include "lib/scoring/noised_records.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "lib/diffusion/corrupt.h"
#include "lib/random.h"
#include "tests/unit/temp_folder.h"
#include "tests/unit/tiny_model.h"
#include "tests/unit/tiny_set.h"

namespace vq {
namespace {

using testing::random_set;
using testing::tiny_config;
using testing::tiny_model;

// Two classes or two captions; grids of 2 x 2 over 5 codes.
std::unique_ptr<DiffusionModel> model_of(ConditionKind kind) {
  DiffusionModelConfig config = tiny_config(2, 2, 5, 10);
  config.condition.kind = kind;
  if (kind == ConditionKind::label) config.condition.classes = {"cat", "dog"};
  if (kind != ConditionKind::caption) return tiny_model(config);
  config.condition.text = {1, 32, 2, 0, 6};
  return tiny_model(config, 1, Vocabulary::train({"a red ring", "a blue star"}, 40));
}

bool same(const at::Tensor& a, const at::Tensor& b) { return at::allclose(a, b, 1e-5, 1e-5); }

TEST(NoisedRecords, NoiseIsTheForwardProcessAndTheNetworkSeesItsTime) {
  const auto model = model_of(ConditionKind::none);
  const TokenSet set = random_set(*model, 3, 1);
  const NoisedBatch batch = NoisedRecords(*model, set, 7)({{2, 8, 1}});
  const UniformGrid noise = uniform_grid(7, Purpose::corrupt, {2}, 1, 4);
  const at::Tensor x_t = corrupt(model->schedule(), set.batch({2}), {8}, noise);
  EXPECT_TRUE(at::equal(batch.x_0, set.batch({2})));
  EXPECT_TRUE(at::equal(batch.x_t, x_t));
  const at::Tensor row = at::full({1}, 7, at::kLong);
  EXPECT_TRUE(same(batch.hidden, model->denoiser().hidden(x_t, row, {})));
  const at::Tensor log_p = log_guess(*model, batch.hidden);
  EXPECT_EQ(log_p.sizes(), (at::IntArrayRef{1, 4, 5}));
  EXPECT_TRUE(at::allclose(log_p.exp().sum(-1), at::ones({1, 4}, at::kDouble)));
}

TEST(NoisedRecords, ARowDoesNotDependOnItsBatch) {
  const auto model = model_of(ConditionKind::caption);
  TokenSet set = random_set(*model, 20, 2);
  for (int i = 0; i < 20; ++i) set.captions.push_back({"a red ring", "a blue star", "a star"});
  const NoisedRecords noised(*model, set, 3);
  std::vector<NoisedRow> rows;
  for (int i = 0; i < 20; ++i) rows.push_back({(i * 7) % 20, 1 + i % 10, i % 3u});
  const NoisedBatch all = noised(rows);
  for (int64_t i = 0; i < 20; ++i) {
    const NoisedBatch one = noised({rows[static_cast<size_t>(i)]});
    EXPECT_TRUE(at::equal(one.x_t[0], all.x_t[i]));
    EXPECT_TRUE(at::equal(log_guess(*model, one.hidden)[0], log_guess(*model, all.hidden)[i]));
  }
}

TEST(NoisedRecords, TheNetworkHearsTheRecordsOwnLabel) {
  const auto model = model_of(ConditionKind::label);
  TokenSet set = random_set(*model, 2, 1);
  set.labels = {1, 0};
  const NoisedBatch batch = NoisedRecords(*model, set, 7)({{0, 8, 0}, {1, 8, 0}});
  const at::Tensor row = at::full({2}, 7, at::kLong);
  const auto hear = [&](std::vector<int64_t> labels) {
    const Features features = model->condition()(at::tensor(labels, at::kLong).unsqueeze(1));
    return model->denoiser().hidden(batch.x_t, row, features);
  };
  EXPECT_TRUE(same(batch.hidden, hear({1, 0})));
  EXPECT_FALSE(same(batch.hidden, hear({0, 1})));
  EXPECT_FALSE(same(batch.hidden, hear({-1, -1})));
}

TEST(NoisedRecords, EveryCaptionOfARecordIsHeardSometimes) {
  const auto model = model_of(ConditionKind::caption);
  TokenSet set = random_set(*model, 1, 1);
  set.captions = {{"a red ring", "a blue star"}};
  const NoisedRecords noised(*model, set, 7);
  int red = 0, blue = 0;
  for (uint32_t draw = 0; draw < 40; ++draw) {
    const NoisedBatch batch = noised({{0, 8, draw}});
    const auto hear = [&](const char* caption) {
      const auto ids = model->condition().prepare_caption(caption);
      const Features features = model->condition()(at::tensor(ids, at::kLong).unsqueeze(0));
      return model->denoiser().hidden(batch.x_t, at::full({1}, 7, at::kLong), features);
    };
    red += same(batch.hidden, hear("a red ring"));
    blue += same(batch.hidden, hear("a blue star"));
  }
  EXPECT_EQ(red + blue, 40);
  EXPECT_GT(red, 8);
  EXPECT_GT(blue, 8);
}

TEST(CheckFits, NamesWhatDoesNotFit) {
  const auto plain = model_of(ConditionKind::none);
  const TokenSet good = random_set(*plain, 2, 1);
  const auto refusal = [](const DiffusionModel& model, const TokenSet& set) {
    return error_of([&] { check_fits(model, set, "a.vqt"); });
  };
  EXPECT_EQ(refusal(*plain, good), "no error");
  TokenSet set = good;
  set.header.height = 1, set.header.width = 4;
  EXPECT_EQ(refusal(*plain, set), "a.vqt: has grids of 1 x 4; the model's are 2 x 2");
  set = good;
  set.header.codebook_size = 6;
  EXPECT_EQ(refusal(*plain, set), "a.vqt: has a codebook of 6; the model's has 5");
  set = good;
  set.header.codec = std::string(64, 'd');
  EXPECT_EQ(refusal(*plain, set),
            "a.vqt: was made with codec dddddddddddddddd; the model was trained on codec "
            "cccccccccccccccc");
  set.header.codec = "";
  EXPECT_EQ(refusal(*plain, set), "no error");

  EXPECT_EQ(refusal(*model_of(ConditionKind::caption), good),
            "a.vqt: has no captions, to which the model listens");
  const auto labelled = model_of(ConditionKind::label);
  EXPECT_EQ(refusal(*labelled, good), "a.vqt: has no labels, to which the model listens");
  set = good;
  set.labels = {0, 2};
  EXPECT_EQ(refusal(*labelled, set), "a.vqt: has the label 2; the model knows 0..1");
  set.labels = {0, 1};
  EXPECT_EQ(refusal(*labelled, set), "no error");
}

TEST(NoisedRecords, GuessesAreTakenInPartsThatFit) {
  EXPECT_EQ(rows_at_once(1), int64_t{1} << 23);
  EXPECT_EQ(rows_at_once(int64_t{1} << 40), 1);
}

}  // namespace
}  // namespace vq
