#include "lib/scoring/small_classifier.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "lib/scoring/features.h"
#include "lib/weights/model_file.h"
#include "temp_folder.h"

namespace vq {
namespace {

SmallClassifierConfig small() {
  SmallClassifierConfig config;
  config.image_size = 16, config.channels = 8, config.levels = 3;
  config.classes = {"cat", "dog", "bird"};
  return config;
}

TEST(SmallClassifier, GivesFeaturesAndLogitsOfEachPictureAlone) {
  const at::NoGradGuard no_grad;
  const SmallClassifier network(small(), 1);
  const at::Tensor images = at::rand({4, 3, 16, 16}) * 2 - 1;
  const at::Tensor features = network.features(images);
  EXPECT_EQ(features.sizes(), (at::IntArrayRef{4, 32}));
  EXPECT_EQ(network.logits(features).sizes(), (at::IntArrayRef{4, 3}));
  for (int64_t i = 0; i < 4; ++i) {
    EXPECT_TRUE(at::allclose(network.features(images.narrow(0, i, 1))[0], features[i], 1e-4, 1e-5));
  }
  EXPECT_FALSE(at::allclose(features[0], features[1]));
}

TEST(SmallClassifierConfig, TravelsAsJsonAndIsChecked) {
  const SmallClassifierConfig read = SmallClassifierConfig::from_json(small().to_json(), "f");
  EXPECT_EQ(read.to_json(), small().to_json());
  const auto error = [](auto change) {
    SmallClassifierConfig config = small();
    change(config);
    return error_of([&] { SmallClassifierConfig::from_json(config.to_json(), "f"); });
  };
  EXPECT_NE(error([](auto& c) { c.image_size = 18; }).find("do not fit"), std::string::npos);
  EXPECT_NE(error([](auto& c) { c.channels = 9; }).find("multiple of 8"), std::string::npos);
  EXPECT_NE(error([](auto& c) { c.levels = 0; }).find("levels"), std::string::npos);
  EXPECT_NE(error([](auto& c) { c.classes = {"one"}; }).find("too few"), std::string::npos);
  EXPECT_NE(
      error_of([] { SmallClassifierConfig::from_json(Json::object(), "f"); }).find("not complete"),
      std::string::npos);
}

TEST(SmallClassifier, IsAFeatureNetworkThatSaysItIsOurOwn) {
  const TempFolder folder;
  const SmallClassifier network(small(), 1);
  save_model(folder / "f", "features", small().to_json(), Json::array(),
             named_tensors(network.parameters), false);
  const auto features = load_features(folder / "f", at::kCPU);
  EXPECT_EQ(features->name(), "own small-classifier of 3 classes");
  EXPECT_FALSE(features->standard());
  EXPECT_EQ(features->size(), 16);
  const at::Tensor images = at::rand({2, 3, 16, 16}) * 2 - 1;
  const at::Tensor seen = (*features)(images);
  EXPECT_TRUE(at::allclose(seen, network.features(images).detach(), 1e-4, 1e-5));
  EXPECT_EQ(features->logits(seen).sizes(), (at::IntArrayRef{2, 3}));
}

}  // namespace
}  // namespace vq
