#include "lib/codec/decoder.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

namespace vq {
namespace {

CodecConfig config_of(int64_t patch, std::vector<int64_t> multipliers) {
  CodecConfig c;
  c.patch = patch;
  c.channels = 16;
  c.multipliers = std::move(multipliers);
  c.latent = 6;
  c.groups = 4;
  return c;
}

TEST(Decoder, ShapesForEveryFactor) {
  const at::NoGradGuard no_grad;
  const std::vector<std::pair<CodecConfig, int64_t>> cases = {
      {config_of(1, {1, 1, 2}), 4},        {config_of(1, {1, 1, 2, 2}), 8},
      {config_of(1, {1, 1, 1, 2, 2}), 16}, {config_of(4, {1}), 4},
      {config_of(4, {1, 2}), 8},           {config_of(2, {1, 2, 2, 2}), 16}};
  for (const auto& [config, f] : cases) {
    Parameters p(1);
    const Decoder decoder(p, config);
    EXPECT_EQ(decoder(at::randn({2, 6, 2, 4})).sizes(), at::IntArrayRef({2, 3, 2 * f, 4 * f}));
  }
}

TEST(Decoder, NamesAreThoseOfTheReleasedCodecs) {
  CodecConfig config = config_of(1, {1, 2});
  config.attention = true;
  config.middle_blocks = 2;
  config.decoder_blocks = 2;
  Parameters p(1);
  const Decoder decoder(p, config);
  for (const char* name :
       {"conv_in.weight", "mid.block_1.conv1.weight", "mid.attn_1.norm.weight",
        "up.1.block.1.conv1.weight", "up.1.attn.1.k.bias", "up.1.upsample.conv.weight",
        "up.0.block.0.nin_shortcut.weight", "norm_out.bias", "conv_out.weight"}) {
    EXPECT_TRUE(p.contains(std::string("decoder.") + name)) << name;
  }
  EXPECT_FALSE(p.contains("decoder.up.0.upsample.conv.weight"));
  EXPECT_FALSE(p.contains("decoder.up.0.attn.0.q.weight"));
}

TEST(Decoder, EveryWeightGetsAGradient) {
  CodecConfig config = config_of(2, {1, 2});
  config.attention = true;
  config.middle_blocks = 2;
  Parameters p(1);
  const Decoder decoder(p, config);
  decoder(at::randn({2, 6, 4, 4})).square().mean().backward();
  for (const auto& entry : p.entries()) {
    ASSERT_TRUE(entry.tensor.grad().defined()) << entry.name;
    EXPECT_TRUE(entry.tensor.grad().isfinite().all().item<bool>()) << entry.name;
  }
}

}  // namespace
}  // namespace vq
