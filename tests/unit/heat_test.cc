#include "formats/heat.h"

#include <gtest/gtest.h>

#include <set>

namespace vq {
namespace {

TEST(Heat, CodesDifferAndNoneIsGrey) {
  std::set<CodeColour> seen;
  for (int code = 0; code < 512; ++code) {
    const CodeColour colour = colour_of_code(code);
    const auto [least, most] = std::minmax({colour[0], colour[1], colour[2]});
    EXPECT_GT(most - least, 60) << code;
    EXPECT_TRUE(seen.insert(colour).second) << code;
    int apart = 0;
    const CodeColour next = colour_of_code(code + 1);
    for (int i = 0; i < 3; ++i) apart += std::abs(colour[i] - next[i]);
    EXPECT_GT(apart, 90) << code;
  }
}

// The hue circle by its corners: at full value and saturation 0.85, 0.15 of 255 is what is left.
TEST(Heat, CodeZeroIsRed) { EXPECT_EQ(colour_of_code(0), (CodeColour{255, 38, 38})); }

TEST(Heat, SquaresAreWhereTheirTokensAre) {
  GridHeader header;
  header.height = 2;
  header.width = 3;
  header.codebook_size = 4;
  const Image image = draw_heat(header, {"k", {0, 1, 2, 3, 4, 0}, {}});
  const int cell = heat_cell(header);
  EXPECT_EQ(cell, 5);
  ASSERT_EQ(image.width, 15);
  ASSERT_EQ(image.height, 10);
  const auto pixel = [&](int x, int y) {
    const uint8_t* p = image.at(x, y);
    return CodeColour{p[0], p[1], p[2]};
  };
  for (int y = 0; y < 5; ++y) {
    for (int x = 0; x < 5; ++x) {
      EXPECT_EQ(pixel(x, y), colour_of_code(0));
      EXPECT_EQ(pixel(5 + x, y), colour_of_code(1));
      EXPECT_EQ(pixel(x, 5 + y), colour_of_code(3));
      EXPECT_EQ(pixel(10 + x, 5 + y), colour_of_code(0));
      const bool cross = x == y || x == 4 - y;
      const uint8_t grey = cross ? 40 : 128;
      EXPECT_EQ(pixel(5 + x, 5 + y), (CodeColour{grey, grey, grey}));
    }
  }
}

TEST(Heat, LargeGridsHaveSmallSquares) {
  GridHeader header;
  header.height = 1;
  header.width = 65535;
  header.codebook_size = 2;
  EXPECT_EQ(heat_cell(header), 1);
  header.width = 128;
  EXPECT_EQ(heat_cell(header), 2);
}

}  // namespace
}  // namespace vq
