#include "formats/font.h"

#include <gtest/gtest.h>

namespace vq {
namespace {

Image white(int width, int height) {
  Image image{width, height, {}};
  image.rgb.assign(3 * static_cast<size_t>(width) * height, 255);
  return image;
}

std::string ink(Image& image) {
  std::string out;
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) out += image.at(x, y)[0] == 0 ? '#' : '.';
    out += '\n';
  }
  return out;
}

TEST(Font, DrawsALetterPixelByPixel) {
  Image image = white(5, 9);
  draw_text(image, 0, 0, "T", 1, {0, 0, 0});
  EXPECT_EQ(ink(image), "#####\n..#..\n..#..\n..#..\n..#..\n..#..\n..#..\n.....\n.....\n");
}

TEST(Font, EveryPrintableLetterHasItsOwnShape) {
  std::vector<std::string> shapes;
  for (char c = ' '; c < 0x7f; ++c) {
    Image image = white(5, 9);
    draw_text(image, 0, 0, std::string(1, c), 1, {0, 0, 0});
    shapes.push_back(ink(image));
  }
  std::sort(shapes.begin(), shapes.end());
  EXPECT_EQ(std::unique(shapes.begin(), shapes.end()), shapes.end());
}

TEST(Font, LettersAreMagnifiedAndCutAtTheEdge) {
  Image image = white(7, 3);
  draw_text(image, -1, 0, "TT", 2, {0, 0, 0});
  EXPECT_EQ(ink(image), "#######\n#######\n...##..\n");
}

TEST(Font, OtherCharactersAreOneBoxEach) {
  EXPECT_EQ(to_letters("a\xc3\xa9\xe2\x82\xac\nz"), "a\x7f\x7f z");
}

TEST(Font, WrapsAtSpacesAndCutsLongWords) {
  using Lines = std::vector<std::string>;
  EXPECT_EQ(wrap_text("a small red bird", 9, 9), (Lines{"a small", "red bird"}));
  EXPECT_EQ(wrap_text("abcdefghij k", 4, 9), (Lines{"abcd", "efgh", "ij k"}));
  EXPECT_EQ(wrap_text("  ", 9, 9), Lines{});
}

TEST(Font, WhatDoesNotFitIsMarked) {
  const auto lines = wrap_text("one two three four five six", 8, 2);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[1], "three...");
}

}  // namespace
}  // namespace vq
