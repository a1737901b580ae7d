#include "lib/sampling/halton.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace vq {
namespace {

TEST(Halton, RadicalInverseMirrorsTheDigits) {
  EXPECT_EQ(radical_inverse(0, 2), 0);
  EXPECT_EQ(radical_inverse(1, 2), 0.5);
  EXPECT_EQ(radical_inverse(6, 2), 0.375);             // 110 -> .011
  EXPECT_NEAR(radical_inverse(5, 3), 7.0 / 9, 1e-15);  // 12 -> .21
}

// By hand from the points (1/2, 1/3), (1/4, 2/3), (3/4, 1/9), (1/8, 4/9), (5/8, 7/9), ...
TEST(Halton, VisitsCellsWhenAPointFirstFallsIntoThem) {
  EXPECT_EQ(halton_order(2, 2), (std::vector<int64_t>{2, 1, 0, 3}));
}

TEST(Halton, IsCompleteForAnyGrid) {
  for (const auto& [height, width] : {std::pair<int64_t, int64_t>{1, 1},
                                      {1, 7},
                                      {7, 1},
                                      {3, 5},
                                      {16, 16},
                                      {32, 32},
                                      {40, 24},
                                      {64, 64}}) {
    std::vector<int64_t> order = halton_order(height, width);
    std::sort(order.begin(), order.end());
    ASSERT_EQ(order.size(), static_cast<size_t>(height * width));
    for (size_t i = 0; i < order.size(); ++i) ASSERT_EQ(order[i], static_cast<int64_t>(i));
  }
}

// What it is for: the first quarter of the cells is spread more evenly than chance would have it.
TEST(Halton, EarlyCellsAreSpread) {
  const int64_t n = 16;
  const std::vector<int64_t> order = halton_order(n, n);
  std::vector<int> in_block(16, 0);  // sixteen blocks of 4 x 4
  for (size_t i = 0; i < 64; ++i)
    ++in_block[static_cast<size_t>(order[i] / n / 4 * 4 + order[i] % n / 4)];
  for (const int count : in_block) {
    EXPECT_GE(count, 2);
    EXPECT_LE(count, 6);
  }
}

}  // namespace
}  // namespace vq
