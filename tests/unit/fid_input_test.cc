#include "lib/scoring/fid_input.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "temp_folder.h"

namespace vq {
namespace {

Image pattern(int width, int height) {
  Image image{width, height, {}};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < 3; ++c) {
        image.rgb.push_back(
            static_cast<uint8_t>((37 * x + 61 * y * y + 101 * c + 13 * x * y * (c + 1)) % 256));
      }
    }
  }
  return image;
}

// What Pillow 13 (mode F, bicubic), torch 2.11 (interpolate, bilinear) and torch-fidelity 0.4 (as
// TensorFlow 1) make of the 9 x 6 pattern, at six places.
struct Row {
  Filter filter;
  int width, height;
  float values[6];
};
constexpr Row kPeers[] = {
    {Filter::bicubic_antialias, 5, 4, {36.2449, 122.2147, 155.5477, 106.4133, 154.369, 132.7168}},
    {Filter::bilinear_centres, 5, 4, {31.35, 126.85, 168.25, 103.05, 90.75, 117.25}},
    {Filter::bilinear_corners, 5, 4, {0.0, 111.4, 172.5, 120.5, 142.4, 109.5}},
    {Filter::bicubic_antialias, 14, 11, {-7.5356, 142.3423, 195.5003, 15.4161, 124.8123, 191.642}},
    {Filter::bilinear_centres, 14, 11, {0.0, 141.0, 191.0, 37.0, 129.1429, 175.9562}},
    {Filter::bilinear_corners, 14, 11, {0.0, 141.0, 191.0, 37.0, 133.1364, 137.3117}}};

TEST(ResampleFloats, IsThatOfThePeers) {
  for (const Row& row : kPeers) {
    const int w = row.width, h = row.height;
    const at::Tensor x = resample_floats(pattern(9, 6), w, h, row.filter);
    ASSERT_EQ(x.sizes(), (at::IntArrayRef{h, w, 3}));
    const int places[6][3] = {{0, 0, 0},         {0, w - 1, 1},     {h - 1, 0, 2},
                              {h - 1, w - 1, 0}, {h / 2, w / 2, 1}, {1, 2, 2}};
    for (int i = 0; i < 6; ++i) {
      const auto& p = places[i];
      EXPECT_NEAR(x[p[0]][p[1]][p[2]].item<float>(), row.values[i], 1e-3)
          << static_cast<int>(row.filter) << " " << w << " " << i;
    }
  }
}

TEST(FidInput, ScalesAsTheModeSays) {
  Image flat{7, 5, std::vector<uint8_t>(7 * 5 * 3, 200)};
  const auto value = [&](FidMode mode) {
    const at::Tensor x = fid_input(flat, mode, 11);
    EXPECT_EQ(x.sizes(), (at::IntArrayRef{3, 11, 11}));
    EXPECT_NEAR((x.max() - x.min()).item<double>(), 0, 1e-6);
    return x[1][3][4].item<double>();
  };
  EXPECT_NEAR(value(FidMode::clean), (200 - 128) / 128.0, 1e-6);
  EXPECT_NEAR(value(FidMode::tensorflow), (200 - 128) / 128.0, 1e-6);
  EXPECT_NEAR(value(FidMode::pytorch), 200 / 127.5 - 1, 1e-6);
  EXPECT_GE(fid_input(pattern(9, 6), FidMode::clean, 14).min().item<double>(), -1);
}

TEST(FidInput, LeavesTheRightSizeAlone) {
  const Image image = pattern(11, 11);
  const at::Tensor x = fid_input(image, FidMode::clean, 11);
  EXPECT_EQ(x[2][4][7].item<float>(), (image.at(7, 4)[2] - 128) / 128.0f);
}

TEST(FidMode, KnowsItsWords) {
  for (const std::string& word : fid_mode_words()) {
    EXPECT_EQ(std::string(describe(fid_mode_from_word(word))).rfind(word, 0), 0u);
  }
  EXPECT_NE(error_of([] { fid_mode_from_word("dirty"); }).find("'dirty'"), std::string::npos);
}

}  // namespace
}  // namespace vq
