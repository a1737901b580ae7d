#include "lib/codec/tiles.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "formats/error.h"

namespace vq {
namespace {

Codec make_codec(int64_t groups) {
  CodecConfig config;
  config.patch = 2, config.channels = 8, config.multipliers = {1, 1};
  config.linear = false, config.groups = groups;
  config.latent = config.code_width = 4, config.codes = 16;
  auto network = std::make_unique<CodecNetwork>(config, 3);
  network->codes.copy_(at::randn({16, 4}));
  return Codec(std::move(network));
}

at::Tensor some_tokens(int64_t batch, int64_t height, int64_t width) {
  auto cells = at::arange(batch * height * width);
  return ((cells * 7 + cells.div(5, "floor") * 3) % 16).view({batch, height * width});
}

TEST(Tiles, WithoutNormsTilesAreTheWhole) {
  at::manual_seed(1);
  const Codec codec = make_codec(0);
  // Three windows down, two across; the margin of six cells covers the receptive field of five.
  const auto tokens = some_tokens(2, 90, 60);
  const auto whole = codec.decode(tokens, 90, 60);
  const auto tiled = decode_in_tiles(codec, tokens, 90, 60, 48);
  EXPECT_LE((whole - tiled).abs().max().item<float>(), 1e-5);
  // A margin that covers less does differ: the test can fail.
  EXPECT_GT((whole - decode_in_tiles(codec, tokens, 90, 60, 8)).abs().max().item<float>(), 1e-4);
}

TEST(Tiles, SmallGridsAreDecodedWhole) {
  at::manual_seed(1);
  const Codec codec = make_codec(4);
  const auto tokens = some_tokens(1, 12, 9);
  const auto whole = codec.decode(tokens, 12, 9);
  EXPECT_TRUE(decode_in_tiles(codec, tokens, 12, 9, 0).equal(whole));
  EXPECT_TRUE(decode_in_tiles(codec, tokens, 12, 9, 12).equal(whole));
  EXPECT_THROW(decode_in_tiles(codec, tokens, 12, 9, 5), Error);
}

TEST(Tiles, EveryPixelIsCoveredWhateverTheSizes) {
  at::manual_seed(1);
  const Codec codec = make_codec(4);
  for (int64_t height : {9, 16, 17, 31}) {
    const auto images = decode_in_tiles(codec, some_tokens(1, height, 21), height, 21, 8);
    EXPECT_EQ(images.sizes(), at::IntArrayRef({1, 3, height * 4, 84}));
    EXPECT_TRUE(images.isfinite().all().item<bool>());
    EXPECT_LE(images.abs().max().item<float>(), 1 + 1e-5);
  }
}

}  // namespace
}  // namespace vq
