#include "lib/codec/encoder.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "lib/codec/codec.h"
#include "lib/runtime/device.h"

namespace vq {
namespace {

CodecConfig config_of(int64_t patch, std::vector<int64_t> multipliers, int64_t size) {
  CodecConfig c;
  c.image_size = size;
  c.patch = patch;
  c.channels = 16;
  c.multipliers = std::move(multipliers);
  c.latent = 6;
  c.groups = 4;
  return c;
}

TEST(Encoder, ShapesForEveryFactor) {
  const at::NoGradGuard no_grad;
  const std::vector<std::pair<CodecConfig, int64_t>> cases = {
      {config_of(1, {1, 1, 2}, 32), 4},     {config_of(1, {1, 1, 2, 2}, 32), 8},
      {config_of(1, {1, 1, 1, 2, 2}, 32), 16}, {config_of(4, {1}, 32), 4},
      {config_of(4, {1, 2}, 32), 8},        {config_of(2, {1, 2, 2, 2}, 32), 16}};
  for (const auto& [config, f] : cases) {
    config.check("");
    Parameters p(1);
    const Encoder encoder(p, config);
    EXPECT_EQ(encoder(at::randn({2, 3, 32, 64})).sizes(), at::IntArrayRef({2, 6, 32 / f, 64 / f}));
  }
}

TEST(Encoder, LevelsWithoutBlocksStillChangeWidth) {
  CodecConfig config = config_of(2, {1, 2, 3}, 32);
  config.encoder_blocks = 0;
  Parameters p(1);
  const Encoder encoder(p, config);
  EXPECT_EQ(encoder.hidden(at::randn({1, 3, 32, 32})).size(1), 48);
}

TEST(Encoder, NamesAreThoseOfTheReleasedCodecs) {
  CodecConfig config = config_of(1, {1, 2}, 32);
  config.attention = true;
  config.middle_blocks = 2;
  Parameters p(1);
  const Encoder encoder(p, config);
  for (const char* name :
       {"conv_in.weight", "down.0.block.0.norm1.bias", "down.1.block.0.nin_shortcut.weight",
        "down.1.attn.0.proj_out.bias", "down.0.downsample.conv.weight", "mid.block_1.conv2.weight",
        "mid.attn_1.q.weight", "mid.block_2.norm2.weight", "norm_out.weight", "conv_out.bias"}) {
    EXPECT_TRUE(p.contains(std::string("encoder.") + name)) << name;
  }
}

// Counts of microsoft/VQ-Diffusion's codecs without their quantisers.
TEST(Encoder, ReleasedNetworksHaveTheirNumberOfWeights) {
  EXPECT_EQ(CodecNetwork(CodecConfig::named("large"), 0).parameters.count(), 64793475);
  EXPECT_EQ(CodecNetwork(CodecConfig::named("base"), 0).parameters.count(), 63485379);
}

TEST(Encoder, APictureDoesNotDependOnItsBatch) {
  const at::NoGradGuard no_grad;
  for (const CodecConfig& config : {CodecConfig::named("tiny"), config_of(1, {1, 2, 2}, 32)}) {
    CodecNetwork network(config, 3);
    auto images = at::randn({7, 3, 32, 32}).contiguous(at::MemoryFormat::ChannelsLast);
    auto all = network.latent(images);
    for (int64_t size : {2, 3, 5}) {
      auto some = network.latent(images.narrow(0, 1, size));
      EXPECT_TRUE(some.equal(all.narrow(0, 1, size))) << size << " of 7";
    }
  }
}

}  // namespace
}  // namespace vq
