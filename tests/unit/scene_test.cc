#include "examples/shapes/scene.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <map>

namespace shapes {
namespace {

void check_scenes(uint64_t seed, Count count, int side, int scenes) {
  for (int i = 0; i < scenes; ++i) {
    const Scene scene = make_scene(seed, static_cast<uint64_t>(i), count);
    const std::string text = caption(scene);
    const auto asked = parse_caption(text);
    ASSERT_TRUE(asked) << text;
    ASSERT_EQ(asked->objects.size(), scene.objects.size()) << text;
    for (size_t k = 0; k < scene.objects.size(); ++k) {
      EXPECT_EQ(asked->objects[k].shape, scene.objects[k].shape) << text;
      EXPECT_EQ(asked->objects[k].colour, scene.objects[k].colour) << text;
    }
    const Verdict verdict = judge(*asked, see(draw(scene, side)));
    EXPECT_TRUE(verdict.right && verdict.placed) << text << ", picture " << i;
  }
}

TEST(Scene, WhatIsSeenInAPictureIsWhatItsCaptionSays) {
  check_scenes(1, Count::kOne, 32, 480);
  check_scenes(2, Count::kTwo, 32, 240);
  check_scenes(3, Count::kMixed, 64, 48);
}

TEST(Scene, AnotherSceneIsNotWhatTheCaptionSays) {
  int right = 0;
  for (uint64_t i = 0; i < 240; ++i) {
    const Scene one = make_scene(4, i, Count::kOne), other = make_scene(4, i + 1, Count::kOne);
    const bool same = one.objects[0].shape == other.objects[0].shape &&
                      one.objects[0].colour == other.objects[0].colour;
    const bool found = judge(*parse_caption(caption(one)), see(draw(other))).right;
    EXPECT_EQ(found, same) << caption(one) << " in " << caption(other);
    right += found;
  }
  EXPECT_LT(right, 10);
}

TEST(Scene, EveryPairOfShapeAndColourIsAsFrequent) {
  std::map<std::array<int, 2>, int> seen;
  for (uint64_t i = 0; i < 48 * 5; ++i) {
    const Object object = make_scene(5, i, Count::kOne).objects[0];
    ++seen[{static_cast<int>(object.shape), static_cast<int>(object.colour)}];
  }
  EXPECT_EQ(seen.size(), 48u);
  for (const auto& [pair, times] : seen) EXPECT_EQ(times, 5);
}

vq::Image plain(int width, int height, uint8_t value) {
  vq::Image image;
  image.width = width;
  image.height = height;
  image.rgb.assign(static_cast<size_t>(width) * height * 3, value);
  return image;
}

TEST(Blurred, APointBecomesTheGaussian) {
  vq::Image image = plain(21, 15, 0);
  image.at(10, 7)[1] = 255;
  const double deviation = 1.5;
  const vq::Image result = blurred(image, deviation);
  double sum = 0;
  for (int k = -5; k <= 5; ++k) sum += std::exp(-0.5 * k * k / (deviation * deviation));
  for (int y = 0; y < 15; ++y) {
    for (int x = 0; x < 21; ++x) {
      const int across = x - 10, down = y - 7;
      const bool reached = std::abs(across) <= 5 && std::abs(down) <= 5;
      const double density =
          std::exp(-0.5 * (across * across + down * down) / (deviation * deviation));
      EXPECT_NEAR(result.at(x, y)[1], reached ? 255 * density / (sum * sum) : 0, 0.51);
      EXPECT_EQ(result.at(x, y)[0], 0);
      EXPECT_EQ(result.at(x, y)[2], 0);
    }
  }
}

TEST(Blurred, WhatIsEvenStays) {
  EXPECT_EQ(blurred(plain(7, 5, 93), 4).rgb, plain(7, 5, 93).rgb);
  const vq::Image picture = draw(make_scene(6, 0, Count::kOne));
  EXPECT_EQ(blurred(picture, 0).rgb, picture.rgb);
  EXPECT_NE(blurred(picture, 0.5).rgb, picture.rgb);
}

}  // namespace
}  // namespace shapes
