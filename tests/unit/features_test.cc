#include "lib/scoring/features.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "formats/error.h"
#include "lib/scoring/squeezenet.h"
#include "temp_folder.h"

namespace vq {
namespace {

std::shared_ptr<Codec> small_codec(uint64_t seed = 1) {
  CodecConfig config;
  config.image_size = 16, config.channels = 16, config.codes = 8;
  auto network = std::make_unique<CodecNetwork>(config, seed);
  {
    const at::NoGradGuard no_grad;
    network->codes.copy_(at::randn(network->codes.sizes()));
  }
  return std::make_shared<Codec>(std::move(network));
}

void save(const Codec& codec, const std::string& path) {
  save_model(path, "codec", codec.config().to_json(), Json::array(),
             named_tensors(codec.network().parameters), false);
}

TEST(PoolQuarters, GivesMeansOfQuartersThenTheDeviation) {
  const at::Tensor hidden = at::tensor({1.0f, 2.0f, 5.0f, 8.0f}).view({1, 1, 2, 2});
  const at::Tensor pooled = pool_quarters(hidden);
  ASSERT_EQ(pooled.sizes(), (at::IntArrayRef{1, 5}));
  const at::Tensor expected = at::tensor({1.0f, 2.0f, 5.0f, 8.0f, std::sqrt(7.5f)});
  EXPECT_TRUE(at::allclose(pooled[0], expected));
  EXPECT_EQ(pool_quarters(at::randn({3, 7, 5, 4})).sizes(), (at::IntArrayRef{3, 35}));
  EXPECT_EQ(pool_quarters(at::randn({3, 7, 1, 1})).sizes(), (at::IntArrayRef{3, 35}));
}

TEST(ResizeImages, LeavesTheRightSizeAloneAndStaysInRange) {
  const at::Tensor images = at::rand({2, 3, 16, 16}) * 2 - 1;
  EXPECT_TRUE(at::equal(resize_images(images, 16), images));
  const at::Tensor larger = resize_images(images.sign(), 40);
  EXPECT_EQ(larger.sizes(), (at::IntArrayRef{2, 3, 40, 40}));
  EXPECT_LE(larger.abs().max().item<double>(), 1);
  const at::Tensor flat = resize_images(at::full({1, 3, 16, 16}, 0.25), 5);
  EXPECT_TRUE(at::allclose(flat, at::full({1, 3, 5, 5}, 0.25)));
}

TEST(CodecFeatures, AreAFunctionOfThePictureAlone) {
  const auto network = codec_features(small_codec());
  EXPECT_EQ(network->size(), 16);
  const at::Tensor images = at::rand({5, 3, 16, 16}) * 2 - 1;
  const at::Tensor all = (*network)(images);
  EXPECT_EQ(all.size(0), 5);
  EXPECT_EQ(all.size(1) % 5, 0);
  EXPECT_FALSE(all.requires_grad());
  for (int64_t i = 0; i < 5; ++i) {
    EXPECT_TRUE(at::allclose((*network)(images.narrow(0, i, 1))[0], all[i], 1e-4, 1e-5));
  }
  EXPECT_FALSE(at::allclose(all[0], all[1]));
}

TEST(CodecFeatures, OtherSizesAreResampled) {
  const auto network = codec_features(small_codec());
  const at::Tensor images = at::rand({2, 3, 24, 40}) * 2 - 1;
  EXPECT_TRUE(at::equal((*network)(images), (*network)(resize_images(images, 16))));
}

TEST(LoadFeatures, OpensACodecAndKeepsItsIdentity) {
  const TempFolder folder;
  const auto codec = small_codec();
  save(*codec, folder / "codec.safetensors");
  const auto network = load_features(folder / "codec.safetensors", at::kCPU);
  EXPECT_EQ(network->identity(), codec->identity());
  const at::Tensor images = at::rand({2, 3, 16, 16}) * 2 - 1;
  EXPECT_TRUE(at::equal((*network)(images), (*codec_features(codec))(images)));
}

TEST(LoadFeatures, OpensAFeatureNetworkAndHashesItsTensors) {
  const TempFolder folder;
  const SqueezeNet squeezenet;
  const Json config = {{"architecture", "squeezenet1.1"}};
  const std::string path = folder / "squeezenet.safetensors";
  save_model(path, "features", config, Json::array(), named_tensors(squeezenet.parameters), false);
  const auto network = load_features(path, at::kCPU);
  EXPECT_EQ(network->size(), 227);
  EXPECT_EQ(network->identity().size(), 64u);
  EXPECT_EQ(network->identity(), model_identity(SafetensorsFile(path)));
  const at::Tensor images = at::rand({1, 3, 20, 20}) * 2 - 1;
  const at::Tensor vectors = (*network)(images);
  EXPECT_EQ(vectors.sizes(), (at::IntArrayRef{1, 512}));
  const at::Tensor expected = squeezenet.hidden(resize_images(images, 227)).mean({2, 3});
  EXPECT_TRUE(at::allclose(vectors, expected.detach(), 1e-4, 1e-5));
}

TEST(LoadFeatures, SaysWhatAFileIsInstead) {
  const TempFolder folder;
  const auto error = [&](const std::string& kind, const Json& config) {
    save_model(folder / "f", kind, config, Json::array(), {{"a", at::zeros({1})}}, true);
    return error_of([&] { load_features(folder / "f", at::kCPU); }, folder.path());
  };
  EXPECT_NE(error("diffusion", Json::object()).find("holds a diffusion model"), std::string::npos);
  EXPECT_NE(error("features", {{"architecture", "vgg"}}).find("'vgg'"), std::string::npos);
  EXPECT_NE(error("features", {{"architecture", 3}}).find("f"), std::string::npos);
  EXPECT_NE(error("features", {{"architecture", "squeezenet1.1"}}).find("missing tensors"),
            std::string::npos);
}

}  // namespace
}  // namespace vq
