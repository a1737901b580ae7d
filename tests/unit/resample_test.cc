#include "formats/resample.h"

#include <gtest/gtest.h>

#include <tuple>

#include "formats/bytes.h"
#include "formats/error.h"

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

struct PillowCase {
  int width, height, to_width, to_height;
  const char* sha256;  // of the bytes, the first 16 digits
};

// Printed by `tests/parity/pictures.py table` with Pillow 13.0.0.
constexpr PillowCase kPillow[] = {
    {53, 31, 16, 9, "5f5fab4c9c73dc5d"},    {53, 31, 53, 12, "48241e4df31e0357"},
    {53, 31, 80, 64, "d92382c6f676feb1"},   {53, 31, 20, 31, "24c57869f60efc37"},
    {7, 5, 64, 64, "54d734a6802c1895"},     {640, 480, 256, 256, "933e82882f34323c"},
    {200, 200, 32, 32, "2e8bd8bb64f94d71"}, {1, 1, 5, 3, "f06754a25bb3cb24"},
    {300, 2, 10, 4, "92ccb31f50908902"},    {33, 65, 34, 64, "af34c880b7431149"},
};

TEST(Resample, EveryByteIsPillows) {
  for (const PillowCase& c : kPillow) {
    const Image image = resample(noise(c.width, c.height), c.to_width, c.to_height);
    EXPECT_EQ(sha256(image.rgb).substr(0, 16), c.sha256)
        << c.width << "x" << c.height << " -> " << c.to_width << "x" << c.to_height;
  }
}

TEST(Resample, KeepingAPartIsCuttingTheWhole) {
  const Image image = noise(70, 45);
  for (const auto& [w, h] : {std::pair{30, 20}, {70, 20}, {30, 45}, {70, 45}, {140, 90}}) {
    const Image whole = resample(image, w, h);
    const Rect keep = {5, 3, w - 9, h - 8};
    const Image part = resample(image, {{0, 0, 70, 45}, w, h, keep});
    ASSERT_EQ(part.width, keep.width);
    ASSERT_EQ(part.height, keep.height);
    for (int y = 0; y < part.height; ++y) {
      for (int x = 0; x < part.width; ++x) {
        for (int c = 0; c < 3; ++c) {
          ASSERT_EQ(part.at(x, y)[c], whole.at(x + keep.left, y + keep.top)[c]) << w << " " << h;
        }
      }
    }
  }
}

TEST(Resample, AFittingPictureIsNotTouched) {
  const Image image = noise(8, 8);
  for (Resize how : {Resize::center, Resize::squash, Resize::paper_val}) {
    EXPECT_EQ(fit_image(image, 8, how).rgb, image.rgb);
  }
}

TEST(Resample, CentreKeepsTheCentreSquare) {
  Image image = noise(12, 4);
  for (Resize how : {Resize::center, Resize::paper_val}) {
    const Image fitted = fit_image(image, 4, how);
    for (int y = 0; y < 4; ++y) {
      for (int x = 0; x < 4; ++x) EXPECT_EQ(fitted.at(x, y)[1], image.at(x + 4, y)[1]);
    }
  }
}

TEST(Resample, OneColourStaysOneColour) {
  Image image{37, 23, std::vector<uint8_t>(3 * 37 * 23, 201)};
  for (Resize how : {Resize::center, Resize::squash, Resize::paper_val, Resize::paper_train}) {
    for (int size : {5, 64}) {
      const Image fitted = fit_image(image, size, how);
      EXPECT_EQ(fitted.width, size);
      EXPECT_EQ(fitted.height, size);
      EXPECT_EQ(fitted.rgb, std::vector<uint8_t>(3 * size * size, 201));
    }
  }
}

TEST(Resample, PaperValScalesTheShortSide) {
  // 500 x 375 of ImageNet: 341.33 wide, rounded down, and 42 columns left of the window.
  const Framing f = frame_picture(Resize::paper_val, 500, 375, 256);
  EXPECT_EQ(f.width, 341);
  EXPECT_EQ(f.height, 256);
  EXPECT_EQ(f.keep.left, 42);
  EXPECT_EQ(f.keep.top, 0);
  // A strip: only what is kept is made.
  const Image strip =
      fit_image(Image{1, 32768, std::vector<uint8_t>(3 * 32768, 7)}, 64, Resize::paper_val);
  EXPECT_EQ(strip.rgb, std::vector<uint8_t>(3 * 64 * 64, 7));
}

// Every draw stays inside the picture and inside the ranges of the published transform.
TEST(Resample, PaperTrainStaysInItsRanges) {
  const double ends[] = {1e-12, 0.5, 1 - 1e-16};
  for (const auto& [w, h] : {std::pair{500, 375},
                             {375, 500},
                             {257, 257},
                             {2000, 260},
                             {90, 400},
                             {256, 256},
                             {257, 256},
                             {1, 1}}) {
    for (double a : ends) {
      for (double b : ends) {
        for (double c : ends) {
          const Framing f = frame_picture(Resize::paper_train, w, h, 256, {a, b, c, a, b});
          const int side = std::min(w, h);
          EXPECT_EQ(f.from.width, side);
          EXPECT_EQ(f.from.height, side);
          EXPECT_GE(f.from.left, 3 * (w - side) / 8);
          EXPECT_LE(f.from.left, std::max(3 * (w - side) / 8, 5 * (w - side) / 8));
          EXPECT_LE(f.from.left + side, w);
          EXPECT_GE(f.from.top, 3 * (h - side) / 8);
          EXPECT_LE(f.from.top + side, h);
          EXPECT_EQ(f.width, f.height);
          EXPECT_GE(f.width, 256);
          EXPECT_LE(f.width, std::max(256, std::min(side, 288)));
          EXPECT_LE(f.keep.left + 256, f.width);
          EXPECT_LE(f.keep.top + 256, f.height);
        }
      }
    }
  }
  // Both ends of every range are reached.
  const Framing low = frame_picture(Resize::paper_train, 800, 400, 256, {0, 0, 0, 0, 0});
  // The largest draw there is; its product with 100 rounds up, and the offset to the range's end.
  const double one = 1 - 0x1.0p-53;
  const Framing high = frame_picture(Resize::paper_train, 800, 400, 256, {one, one, one, one, one});
  EXPECT_EQ(low.from.left, 150);
  EXPECT_EQ(high.from.left, 250);
  EXPECT_EQ(low.width, 256);
  EXPECT_EQ(high.width, 288);
  EXPECT_EQ(high.keep.left, 32);
}

TEST(Resample, MirroringTwiceIsNothing) {
  for (int width : {1, 4, 7}) {
    const Image image = noise(width, 3);
    const Image once = mirrored(image);
    for (int x = 0; x < width; ++x) EXPECT_EQ(once.at(x, 1)[2], image.at(width - 1 - x, 1)[2]);
    EXPECT_EQ(mirrored(once).rgb, image.rgb);
  }
}

TEST(Resample, WordsAreThoseOfTheEnumeration) {
  EXPECT_EQ(resize_from_word("paper-train"), Resize::paper_train);
  EXPECT_EQ(resize_from_word("center"), Resize::center);
  EXPECT_THROW(resize_from_word("centre"), Error);
}

}  // namespace
}  // namespace vq
