#include "lib/diffusion/model.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "formats/error.h"
#include "lib/sampling/sampler.h"
#include "tests/unit/clip_model.h"
#include "tests/unit/temp_folder.h"
#include "tests/unit/tiny_model.h"

namespace vq {
namespace {

using testing::tiny_config;
using testing::tiny_model;

std::string message(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.where() + ": " + e.message();
  }
  return "";
}

TEST(DiffusionModel, SamplesAlikeAfterSavingAndLoading) {
  const TempFolder folder;
  DiffusionModelConfig config = tiny_config(2, 3, 7, 12, "replace");
  config.condition.kind = ConditionKind::caption;
  config.condition.text = {1, 32, 2, 0, 5};
  config.suggested = {{"guidance", 2.5}};
  const auto model = tiny_model(config, 3, Vocabulary::train({"a red ring", "a blue star"}, 40));
  model->save(folder / "m.safetensors", named_tensors(model->parameters()), Json::array(), false);
  const auto again = DiffusionModel::load(folder / "m.safetensors", at::kCPU);
  EXPECT_EQ(again->config().to_json(), model->config().to_json());
  EXPECT_EQ(again->identity().size(), 64u);
  for (int t = 0; t <= 12; ++t)
    EXPECT_EQ(again->schedule().gamma_bar(t), model->schedule().gamma_bar(t));
  const auto ids = model->condition().prepare_caption("a red star");
  EXPECT_EQ(again->condition().prepare_caption("a red star"), ids);
  const at::Tensor prepared = at::tensor(ids, at::kLong).unsqueeze(0).repeat({3, 1});
  const Request request = {prepared, {0, 1, 2}};
  EXPECT_TRUE(at::equal(sample(*model, request, {}), sample(*again, request, {})));
  EXPECT_EQ(again->grid_header().codebook_size, 7);
}

TEST(DiffusionModel, KeepsAClipCondition) {
  const TempFolder folder;
  for (const NullKind null : {NullKind::learned, NullKind::empty}) {
    DiffusionModelConfig config = tiny_config(2, 3, 7, 12, "replace");
    config.condition = testing::tiny_clip_condition(null);
    config.condition.clip_ids.too_long = ClipTooLong::lose_end;
    const auto model =
        tiny_model(config, 3, testing::tiny_clip_tokenizer(config.condition.clip_ids));
    testing::fill_tower(model->parameters());
    model->save(folder / "m", named_tensors(model->parameters()), Json::array(), true);
    const auto again = DiffusionModel::load(folder / "m", at::kCPU);
    EXPECT_EQ(again->config().to_json(), model->config().to_json());
    EXPECT_EQ(again->config().denoiser.context_width, 16);
    EXPECT_EQ(again->parameters().contains("condition.null"), null == NullKind::learned);
    const auto ids = again->condition().prepare_caption("red cat red dog red cat");
    EXPECT_EQ(ids, (std::vector<int64_t>{518, 517, 513, 517, 515, 517, 513}));
    const at::Tensor prepared = at::tensor(ids).unsqueeze(0).repeat({3, 1});
    Request request = {prepared, {0, 1, 2}};
    SamplerOptions options;
    options.guidance.scale = 3;
    const at::Tensor tokens = sample(*again, request, options);
    EXPECT_TRUE(at::equal(tokens, sample(*model, request, options)));
    // It listens: another prompt, other tokens; and guidance has something to move away from.
    request.prepared = at::tensor(again->condition().prepare_caption("dog"));
    request.prepared = request.prepared.unsqueeze(0).repeat({3, 1});
    EXPECT_FALSE(at::equal(tokens, sample(*again, request, options)));
    request.prepared = prepared, options.guidance.scale = 1;
    EXPECT_FALSE(at::equal(tokens, sample(*again, request, options)));
  }
}

// The numbers in the file are the schedule, whatever its name says.
TEST(DiffusionModel, KeepsTheScheduleItWasTrainedWith) {
  const TempFolder folder;
  const auto model = tiny_model(tiny_config(2, 2, 5, 4));
  std::vector<NamedTensor> tensors = named_tensors(model->parameters());
  tensors.push_back({"schedule.alpha_bar", at::tensor({0.9, 0.7, 0.4, 0.1}, at::kDouble)});
  tensors.push_back({"schedule.gamma_bar", at::tensor({0.05, 0.2, 0.5, 0.8}, at::kDouble)});
  save_model(folder / "m", "diffusion", model->config().to_json(), Json::array(), tensors, false);
  EXPECT_EQ(DiffusionModel::load(folder / "m", at::kCPU)->schedule().alpha_bar(2), 0.7);
}

// Nobody learned what to make of tokens in sight, so nothing may ask: the schedule only masks.
TEST(DiffusionModel, OfTheMaskedObjectiveReplacesNothing) {
  const TempFolder folder;
  DiffusionModelConfig config = tiny_config(2, 2, 5, 4, "linear");
  const auto bound = tiny_model(config);
  config.objective = "masked";
  const auto model = tiny_model(config);
  model->save(folder / "m", named_tensors(model->parameters()), Json::array(), false);
  const auto again = DiffusionModel::load(folder / "m", at::kCPU);
  EXPECT_EQ(again->config().objective, "masked");
  for (int t = 1; t <= 4; ++t) {
    EXPECT_EQ(again->schedule().gamma_bar(t), bound->schedule().gamma_bar(t));
    EXPECT_EQ(again->schedule().between(t - 1, t).beta_bar_t, 0);
    EXPECT_GT(bound->schedule().between(t - 1, t).beta_bar_t, 0);
  }
  config.objective = "maksed";
  EXPECT_THROW(tiny_model(config), Error);
}

TEST(DiffusionModel, NothingLoadsLoosely) {
  const TempFolder folder;
  const auto model = tiny_model(tiny_config(2, 2, 5, 4));
  const auto constants = model->constants();
  const auto load_with = [&](std::vector<NamedTensor> tensors, const Json& config) {
    tensors.insert(tensors.end(), constants.begin(), constants.end());
    save_model(folder / "m", "diffusion", config, Json::array(), tensors, true);
    return message([&] { DiffusionModel::load(folder / "m", at::kCPU); });
  };
  const Json config = model->config().to_json();
  std::vector<NamedTensor> all = named_tensors(model->parameters());
  EXPECT_EQ(load_with(all, config), "");
  std::vector<NamedTensor> more = all;
  more.push_back({"blocks.9.extra", at::zeros({2})});
  EXPECT_NE(load_with(more, config).find("blocks.9.extra"), std::string::npos);
  std::vector<NamedTensor> fewer(all.begin() + 1, all.end());
  EXPECT_NE(load_with(fewer, config).find(all[0].name), std::string::npos);
  EXPECT_NE(load_with(all, Json::object()), "");
  save_model(folder / "c", "codec", config, Json::array(), all, true);
  EXPECT_NE(message([&] { DiffusionModel::load(folder / "c", at::kCPU); }).find("codec"),
            std::string::npos);
}

}  // namespace
}  // namespace vq
