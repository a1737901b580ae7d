#include "formats/strokes.h"

#include <gtest/gtest.h>

namespace vq {
namespace {

constexpr Colour kRed = {200, 10, 20};

Colour colour_at(const Image& image, int x, int y) {
  const uint8_t* p = image.at(x, y);
  return {p[0], p[1], p[2]};
}

constexpr Colour kWhite = {255, 255, 255};

TEST(Strokes, ALineCoversItsWidthAndNothingElse) {
  Image image = blank_image(20, 9);
  draw_line(image, {3, 4}, {17, 4}, 2, kRed);  // rows 3 and 4
  EXPECT_EQ(colour_at(image, 10, 3), kRed);
  EXPECT_EQ(colour_at(image, 10, 4), kRed);
  EXPECT_EQ(colour_at(image, 10, 2), kWhite);
  EXPECT_EQ(colour_at(image, 10, 5), kWhite);
  EXPECT_EQ(colour_at(image, 19, 4), kWhite);
}

TEST(Strokes, APixelTakesTheShareThatIsCovered) {
  Image image = blank_image(20, 9);
  draw_line(image, {0, 4.5}, {20, 4.5}, 2, {0, 0, 0});  // row 4 whole, rows 3 and 5 half
  EXPECT_EQ(image.at(10, 4)[0], 0);
  EXPECT_NEAR(image.at(10, 3)[0], 128, 1);
  EXPECT_NEAR(image.at(10, 5)[0], 128, 1);
  Image faint = blank_image(9, 9);
  draw_mark(faint, {4.5, 4.5}, Mark::disc, 3, {0, 0, 0}, 0.25);
  EXPECT_NEAR(faint.at(4, 4)[0], 191, 1);
}

TEST(Strokes, MarksOfOneRadiusAreOfLikeSize) {
  for (const Mark mark : {Mark::disc, Mark::square, Mark::diamond, Mark::triangle}) {
    Image image = blank_image(40, 40);
    draw_mark(image, {20, 20}, mark, 8, {0, 0, 0});
    EXPECT_EQ(colour_at(image, 20, 20), (Colour{0, 0, 0}));
    double ink = 0;
    for (size_t i = 0; i < image.rgb.size(); i += 3) ink += 1 - image.rgb[i] / 255.0;
    EXPECT_NEAR(ink, 3.1416 * 64, 0.2 * 3.1416 * 64) << static_cast<int>(mark);
  }
}

TEST(Strokes, WhatLiesOutsideIsNotDrawn) {
  Image image = blank_image(8, 8);
  draw_line(image, {-1e9, -50}, {1e9, -50}, 3, kRed);
  draw_mark(image, {100, 4}, Mark::disc, 5, kRed);
  fill_box(image, -5, 9, 100, 5, kRed);
  draw_text_upwards(image, 40, 300, "abc", 2, kRed);
  for (const uint8_t v : image.rgb) EXPECT_EQ(v, 255);
}

TEST(Strokes, DotsLeaveGaps) {
  Image image = blank_image(40, 9);
  draw_dotted_line(image, {2, 4.5}, {38, 4.5}, 2, {0, 0, 0});
  int dark = 0, light = 0;
  for (int x = 2; x < 38; ++x) {
    dark += image.at(x, 4)[0] < 64;
    light += image.at(x, 4)[0] > 192;
  }
  EXPECT_GT(dark, 8);
  EXPECT_GT(light, 8);
}

TEST(Strokes, TextUpwardsIsTheTextTurned) {
  Image flat = blank_image(30, 30), turned = blank_image(30, 30);
  draw_text(flat, 0, 0, "L1", 2, {0, 0, 0});
  draw_text_upwards(turned, 0, 30, "L1", 2, {0, 0, 0});
  for (int y = 0; y < 30; ++y) {
    for (int x = 0; x < 30; ++x) EXPECT_EQ(flat.at(x, y)[0], turned.at(y, 29 - x)[0]);
  }
}

}  // namespace
}  // namespace vq
