#include "lib/codec/pixels.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace vq {
namespace {

Image noise(int width, int height) {
  Image image{width, height, {}};
  uint32_t state = 12345;
  for (int i = 0; i < 3 * width * height; ++i) {
    state = state * 1664525 + 1013904223;
    image.rgb.push_back(static_cast<uint8_t>(state >> 24));
  }
  return image;
}

TEST(Pixels, BytesSurviveTheWayThereAndBack) {
  auto bytes = at::arange(256, at::kInt).to(at::kByte).repeat({3}).view({1, 16, 16, 3});
  auto images = to_images(bytes);
  EXPECT_EQ(images.sizes(), at::IntArrayRef({1, 3, 16, 16}));
  EXPECT_TRUE(images.is_contiguous(at::MemoryFormat::ChannelsLast));
  EXPECT_EQ(images.min().item<float>(), -1);
  EXPECT_EQ(images.max().item<float>(), 1);
  EXPECT_TRUE(to_bytes(images).equal(bytes));
}

TEST(Pixels, ToBytesRoundsAndClamps) {
  auto images =
      at::tensor({-2.0f, 2.0f, -1 + 0.6f / 127.5f, -1 + 0.4f / 127.5f}).view({1, 1, 2, 2});
  EXPECT_TRUE(to_bytes(images).flatten().equal(at::tensor({0, 255, 1, 0}, at::kByte)));
}

// LibTorch's antialiased bicubic follows Pillow too.
TEST(Pixels, ResamplingAgreesWithLibTorch) {
  const Image image = noise(53, 31);
  for (auto [width, height] : {std::pair{16, 9}, {53, 12}, {80, 64}}) {
    const Image ours = resample(image, width, height);
    auto x = to_tensor(image).permute({2, 0, 1}).unsqueeze(0);
    auto theirs = at::_upsample_bicubic2d_aa(x, {height, width}, false)[0].to(at::kFloat);
    auto difference = to_tensor(ours).permute({2, 0, 1}).to(at::kFloat) - theirs;
    // Its weights have 16 bits, ours 22.
    EXPECT_LE(difference.abs().max().item<float>(), 1);
    EXPECT_LE(difference.abs().mean().item<float>(), 0.05);
  }
}

TEST(Pixels, FoldingIsUndone) {
  auto x = at::rand({2, 3, 8, 12});
  for (int64_t n : {1, 2, 4}) {
    auto folded = fold_pixels(x, n);
    EXPECT_EQ(folded.sizes(), at::IntArrayRef({2, 3 * n * n, 8 / n, 12 / n}));
    EXPECT_TRUE(unfold_pixels(folded, n).equal(x));
  }
}

TEST(Pixels, ImageAndTensorAreTheSame) {
  const Image image = noise(5, 3);
  const Image again = to_image(to_tensor(image).unsqueeze(0), 0);
  EXPECT_EQ(again.width, 5);
  EXPECT_EQ(again.height, 3);
  EXPECT_EQ(again.rgb, image.rgb);
}

TEST(Pixels, PsnrByHand) {
  auto a = at::zeros({2, 3, 4, 4}), b = a.clone();
  b[0] += 0.2;  // mean square 0.04 of 4: 20 dB
  auto db = psnr(a, b);
  EXPECT_NEAR(db[0].item<double>(), 20, 1e-4);
  EXPECT_GT(db[1].item<double>(), 90);
}

}  // namespace
}  // namespace vq
