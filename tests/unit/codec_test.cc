#include "lib/codec/codec.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "lib/codec/codebook.h"
#include "lib/codec/pixels.h"
#include "lib/runtime/device.h"
#include "tests/unit/temp_folder.h"

namespace vq {
namespace {

CodecConfig small_config(int64_t patch, std::vector<int64_t> multipliers) {
  CodecConfig c;
  c.patch = patch;
  c.channels = 16;
  c.multipliers = std::move(multipliers);
  c.groups = 4;
  c.codes = 40;
  return c;
}

std::unique_ptr<CodecNetwork> network_of(const CodecConfig& config, uint64_t seed) {
  auto network = std::make_unique<CodecNetwork>(config, seed);
  const at::NoGradGuard no_grad;
  network->codes.copy_(at::randn(network->codes.sizes()) * 0.2);
  if (network->linear) network->linear->start(at::rand({8, 3, 32, 32}) * 2 - 1);
  return network;
}

NamedTensor& named(std::vector<NamedTensor>& tensors, const std::string& name) {
  for (NamedTensor& t : tensors) {
    if (t.name == name) return t;
  }
  throw std::out_of_range(name);
}

at::Tensor some_images(int64_t count, int64_t side = 32) {
  return to_images(at::randint(0, 256, {count, side, side, 3}, at::kByte));
}

TEST(Codec, TokensAndPicturesHaveTheirShapes) {
  for (auto [patch, multipliers, f] :
       std::vector<std::tuple<int64_t, std::vector<int64_t>, int64_t>>{
           {4, {1}, 4}, {4, {1, 2}, 8}, {1, {1, 1, 1, 1, 1}, 16}}) {
    const Codec codec(network_of(small_config(patch, multipliers), 1));
    const int64_t side = 32 / f;
    auto tokens = codec.encode(some_images(3));
    EXPECT_EQ(tokens.sizes(), at::IntArrayRef({3, side * side}));
    EXPECT_GE(tokens.min().item<int64_t>(), 0);
    EXPECT_LT(tokens.max().item<int64_t>(), 40);
    auto images = codec.decode(tokens, side, side);
    EXPECT_EQ(images.sizes(), at::IntArrayRef({3, 3, 32, 32}));
    EXPECT_LE(images.abs().max().item<float>(), 1);
  }
}

// More of them than are computed at once.
TEST(Codec, ManyLargePicturesAreThoseOfEachAlone) {
  CodecConfig config = small_config(1, {1, 2, 1});
  config.encoder_blocks = config.decoder_blocks = 1, config.middle_blocks = 0;
  const Codec codec(network_of(config, 1));
  ASSERT_EQ(codec.pictures_at_once(256, 512), 2);
  EXPECT_EQ(codec.pictures_at_once(2048, 2048), 1);
  const at::Tensor images =
      at::cat({some_images(5, 256), some_images(5, 256).flip({2})}, /*dim=*/3);
  const at::Tensor tokens = codec.encode(images), pictures = codec.decode(tokens, 64, 128);
  ASSERT_EQ(tokens.sizes(), at::IntArrayRef({5, 64 * 128}));
  for (int64_t i = 0; i < 5; ++i) {
    EXPECT_TRUE(tokens.narrow(0, i, 1).equal(codec.encode(images.narrow(0, i, 1))));
    const at::Tensor alone = codec.decode(tokens.narrow(0, i, 1), 64, 128);
    EXPECT_TRUE(pictures.narrow(0, i, 1).equal(alone));
  }
  EXPECT_TRUE(codec.features(images).narrow(0, 4, 1).equal(codec.features(images.narrow(0, 4, 1))));
}

// The half that a codec was not loaded for is there too.
TEST(Codec, ForOneUseIsTheSameCodec) {
  const auto config = small_config(1, {1, 2});
  const auto same_network = [&] {
    at::manual_seed(1);
    return network_of(config, 2);
  };
  const Codec both(same_network());
  const at::Tensor images = some_images(3), tokens = both.encode(images);
  const at::Tensor pictures = both.decode(tokens, 16, 16);
  for (const CodecUse use : {CodecUse::encode, CodecUse::decode}) {
    const Codec one(same_network(), "", use);
    ASSERT_TRUE(one.network().codes.equal(both.network().codes));
    EXPECT_TRUE(one.encode(images).equal(tokens));
    EXPECT_TRUE(one.decode(tokens, 16, 16).allclose(pictures, 1e-4, 1e-4));
  }
}

TEST(Codec, TokensAreReadRowByRow) {
  const Codec codec(network_of(small_config(4, {1, 1}), 1));
  auto images = some_images(1, 64);  // 8 x 8 cells; wider than high: 4 rows of 8
  auto tokens = codec.encode(images.narrow(2, 0, 32));
  EXPECT_EQ(tokens.size(1), 4 * 8);
  EXPECT_EQ(codec.decode(tokens, 4, 8).sizes(), at::IntArrayRef({1, 3, 32, 64}));
}

TEST(Codec, NothingDependsOnBatchOrThreads) {
  const int threads = at::get_num_threads();
  CodecConfig attends = small_config(1, {2, 1});
  attends.attention = true, attends.middle_blocks = 2;
  for (const auto& config :
       {small_config(4, {1, 2}), small_config(1, {1, 1, 2}), attends, CodecConfig::named("tiny")}) {
    for (const Precision precision : {Precision::fp32, Precision::bf16}) {
      const AutocastScope scope(at::kCPU, precision);
      const Codec codec(network_of(config, 2));
      const int64_t side = 32 / config.factor();
      auto images = some_images(7);
      auto tokens = codec.encode(images);
      auto pictures = codec.decode(tokens, side, side);
      for (int count : {1, 2}) {
        at::set_num_threads(count);
        for (int64_t i = 0; i < 7; ++i) {
          auto alone = codec.encode(images.narrow(0, i, 1));
          EXPECT_TRUE(alone.equal(tokens.narrow(0, i, 1))) << i;
          EXPECT_TRUE(codec.decode(alone, side, side).equal(pictures.narrow(0, i, 1))) << i;
        }
      }
      at::set_num_threads(threads);
    }
  }
}

// The same picture within the rounding, attention included.
TEST(Codec, InBf16PicturesAreNearlyTheSame) {
  CodecConfig config = small_config(1, {2, 1});
  config.attention = true, config.middle_blocks = 2;
  const Codec codec(network_of(config, 2));
  const at::Tensor tokens = codec.encode(some_images(3)), exact = codec.decode(tokens, 16, 16);
  const AutocastScope scope(at::kCPU, Precision::bf16);
  const at::Tensor rounded = codec.decode(tokens, 16, 16);
  EXPECT_FALSE(rounded.equal(exact));
  EXPECT_LT(((rounded - exact).norm() / exact.norm()).item<double>(), 0.02);
}

// The same network in fp32 and in bf16.
std::pair<Codec, Codec> both_precisions(const CodecConfig& config) {
  at::manual_seed(3);
  Codec exact(network_of(config, 2));
  at::manual_seed(3);
  return {std::move(exact), Codec(network_of(config, 2), "", CodecUse::both, Precision::bf16)};
}

// Rounding the weights once changes no bit: pictures, and the encoder's last layer.
TEST(Codec, RoundedOnceOrForEveryBatch) {
  CodecConfig attends = small_config(1, {2, 1, 1});
  attends.attention = true, attends.middle_blocks = 2;
  CodecConfig scores = small_config(4, {1, 2});
  scores.quantiser = "logits", scores.linear = false;
  for (const auto& config :
       {attends, scores, small_config(4, {1, 2}), CodecConfig::named("tiny")}) {
    const auto [exact, rounded] = both_precisions(config);
    const at::Tensor images = some_images(3), tokens = exact.encode(images);
    const int64_t side = 32 / config.factor();
    const at::Tensor picture = rounded.decode(tokens, side, side);
    const at::Tensor features = rounded.features(images);
    const AutocastScope scope(at::kCPU, Precision::bf16);
    EXPECT_TRUE(picture.equal(exact.decode(tokens, side, side)));
    EXPECT_TRUE(features.equal(exact.features(images)));
  }
}

TEST(Codec, InBf16MostTokensAreTheSame) {
  for (const char* quantiser : {"nearest", "logits"}) {
    CodecConfig config = small_config(4, {1, 2});
    config.quantiser = quantiser, config.linear = false;
    const auto [exact, rounded] = both_precisions(config);
    const at::Tensor images = some_images(16);
    const at::Tensor same = rounded.encode(images).eq(exact.encode(images)).to(at::kDouble);
    EXPECT_GT(same.mean().item<double>(), 0.9) << quantiser;
  }
}

TEST(Codec, DrawnTokensDependOnTheirPictureAndNoise) {
  CodecConfig config = small_config(4, {1, 2});
  EXPECT_THROW(Codec(network_of(config, 2)).encode_drawn(some_images(1), at::rand({1, 16})), Error);
  config.quantiser = "logits", config.linear = false;
  const Codec codec(network_of(config, 2));
  ASSERT_TRUE(codec.draws_codes());
  const at::Tensor images = some_images(5), noise = at::rand({5, 16}, at::kDouble);
  const at::Tensor tokens = codec.encode_drawn(images, noise);
  EXPECT_EQ(tokens.sizes(), at::IntArrayRef({5, 16}));
  EXPECT_FALSE(tokens.equal(codec.encode(images)));
  for (int64_t i = 0; i < 5; ++i) {
    EXPECT_TRUE(codec.encode_drawn(images.narrow(0, i, 1), noise.narrow(0, i, 1))
                    .equal(tokens.narrow(0, i, 1)));
  }
}

TEST(Codec, TokensOutsideTheCodebookAreRefused) {
  const Codec codec(network_of(small_config(4, {1, 2}), 1));
  for (int64_t token : {-1, 40}) {
    EXPECT_THROW(codec.decode(at::full({1, 16}, token, at::kLong), 4, 4), Error);
  }
}

TEST(Codec, SizesThatDoNotDivideAreRefused) {
  const Codec codec(network_of(small_config(4, {1, 2}), 1));
  EXPECT_EQ(codec.grid_side(64), 8);
  EXPECT_THROW(codec.grid_side(36), Error);
  EXPECT_THROW(codec.grid_side(0), Error);
  EXPECT_THROW(codec.encode(some_images(1, 36)), Error);
}

class CodecFile : public testing::Test {
 protected:
  void save(const CodecNetwork& network, std::vector<NamedTensor> tensors) {
    save_model(path(), "codec", network.config.to_json(), Json::array(), tensors, true);
  }
  std::string path() const { return folder_ / "codec.safetensors"; }
  TempFolder folder_;
};

TEST_F(CodecFile, LoadsWhatWasSaved) {
  auto network = network_of(small_config(4, {1, 2}), 4);
  save(*network, named_tensors(network->parameters));
  const Codec saved(std::move(network)), loaded = Codec::load(path());
  EXPECT_EQ(loaded.identity(), saved.identity());
  auto images = some_images(2);
  EXPECT_TRUE(loaded.encode(images).equal(saved.encode(images)));
}

TEST_F(CodecFile, EveryTensorMustBeThereAndNoOther) {
  auto network = network_of(small_config(4, {1, 2}), 4);
  auto tensors = named_tensors(network->parameters);
  tensors.push_back({"loss.discriminator.weight", at::ones({3})});
  save(*network, tensors);
  EXPECT_NE(error_of([&] { Codec::load(path()); }).find("loss.discriminator.weight"),
            std::string::npos);
  tensors.pop_back();
  named(tensors, "quantize.embedding") = tensors.back();
  tensors.pop_back();
  save(*network, tensors);
  EXPECT_NE(error_of([&] { Codec::load(path()); }).find("quantize.embedding"), std::string::npos);
}

TEST_F(CodecFile, AnotherShapeIsNamed) {
  auto network = network_of(small_config(4, {1, 2}), 4);
  auto tensors = named_tensors(network->parameters);
  named(tensors, "quantize.embedding").tensor = at::ones({39, 64});
  save(*network, tensors);
  EXPECT_NE(error_of([&] { Codec::load(path()); }).find("quantize.embedding"), std::string::npos);
}

TEST_F(CodecFile, DroppingUnusedCodesKeepsThePictures) {
  auto network = network_of(small_config(4, {1, 2}), 5);
  auto images = some_images(6);
  at::Tensor index;
  {
    const at::NoGradGuard no_grad;
    index = nearest_code(cells_to_rows(network->latent(images)), network->codes);
  }
  auto uses = count_codes(index, 40);
  const PrunedCodec pruned = keep_codes(*network, codes_by_use(uses));
  ASSERT_LT(pruned.config.codes, 40) << "the test needs an unused code";
  save_model(path(), "codec", pruned.config.to_json(), Json::array(), pruned.tensors, true);
  const Codec before(std::move(network)), after = Codec::load(path());
  EXPECT_NE(after.identity(), before.identity());
  auto old_tokens = before.encode(images), new_tokens = after.encode(images);
  EXPECT_TRUE(after.decode(new_tokens, 4, 4).equal(before.decode(old_tokens, 4, 4)));
  auto counts = count_codes(new_tokens, pruned.config.codes);
  EXPECT_TRUE(counts.equal(std::get<0>(counts.sort(0, /*descending=*/true)))) << "numbered by use";
  EXPECT_GT(counts.min().item<int64_t>(), 0);
}

}  // namespace
}  // namespace vq
