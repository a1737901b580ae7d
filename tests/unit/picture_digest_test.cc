#include "lib/scoring/picture_digest.h"

#include <gtest/gtest.h>

namespace vq {
namespace {

Image flat(int width, int height, uint8_t value) {
  return {width, height, std::vector<uint8_t>(static_cast<size_t>(width) * height * 3, value)};
}

std::string digest(std::initializer_list<Image> pictures) {
  PictureDigest digest;
  for (const Image& picture : pictures) digest.add(picture);
  return digest.digest();
}

TEST(PictureDigest, IsOfTheSetAndNotOfItsOrder) {
  const Image a = flat(4, 2, 1), b = flat(4, 2, 2), c = flat(2, 4, 1);
  EXPECT_EQ(digest({a, b, c}), digest({c, a, b}));
  EXPECT_EQ(digest({a}).size(), 64u);
  EXPECT_NE(digest({a, b}), digest({a, a}));
  EXPECT_NE(digest({a}), digest({c}));  // the same bytes, another shape
  EXPECT_NE(digest({a}), digest({a, a}));
  EXPECT_NE(digest({}), digest({a}));
}

}  // namespace
}  // namespace vq
