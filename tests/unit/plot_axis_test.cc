#include "formats/plot_axis.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

namespace vq {
namespace {

using Labels = std::vector<std::string>;

TEST(PlotAxis, TicksAreRoundNumbersWithinTheRange) {
  EXPECT_EQ(choose_axis({0, 1}, 6).labels, (Labels{"0", "0.2", "0.4", "0.6", "0.8", "1.0"}));
  EXPECT_EQ(choose_axis({0.72, 8.28}, 10).labels, (Labels{"1", "2", "3", "4", "5", "6", "7", "8"}));
  EXPECT_EQ(choose_axis({0.72, 8.28}, 5).labels, (Labels{"2", "4", "6", "8"}));
  EXPECT_EQ(choose_axis({-1.1, 1.1}, 5).labels, (Labels{"-1.0", "-0.5", "0", "0.5", "1.0"}));
  EXPECT_EQ(choose_axis({0.551, 0.649}, 5).labels,
            (Labels{"0.56", "0.58", "0.60", "0.62", "0.64"}));
}

TEST(PlotAxis, LargeAndSmallNumbersAreWrittenShort) {
  EXPECT_EQ(choose_axis({0, 4e5}, 5).labels, (Labels{"0", "1e5", "2e5", "3e5", "4e5"}));
  EXPECT_EQ(choose_axis({1e5, 3e5}, 5).labels, (Labels{"1e5", "1.5e5", "2e5", "2.5e5", "3e5"}));
  EXPECT_EQ(choose_axis({-8e-5, 0}, 5).labels, (Labels{"-8e-5", "-6e-5", "-4e-5", "-2e-5", "0"}));
  EXPECT_EQ(choose_axis({0, 1800}, 4).labels, (Labels{"0", "500", "1000", "1500"}));
}

// For ranges of many sizes and places.
TEST(PlotAxis, EveryRangeGetsSomeTicksAndNoMoreThanAsked) {
  for (double size = 1e-12; size < 1e14; size *= 7.3) {
    for (const double low : {-3.7 * size, -0.5 * size, 0.0, 0.9 * size, 41.3 * size}) {
      for (int most = 5; most <= 12; ++most) {
        const Axis axis = choose_axis({low, low + size}, most);
        ASSERT_GE(axis.ticks.size(), 2u) << low << " " << size << " " << most;
        ASSERT_LE(axis.ticks.size(), static_cast<size_t>(most)) << low << " " << size;
        ASSERT_GE(axis.ticks.front(), low - 1e-6 * size);
        ASSERT_LE(axis.ticks.back(), low + size + 1e-6 * size);
        ASSERT_EQ(std::set<std::string>(axis.labels.begin(), axis.labels.end()).size(),
                  axis.labels.size())
            << "two ticks have one label: " << low << " " << size;
        const double step = axis.ticks[1] - axis.ticks[0];
        const double digit = step / std::pow(10, std::floor(std::log10(step) + 1e-9));
        ASSERT_TRUE(std::abs(digit - 1) < 1e-6 || std::abs(digit - 2) < 1e-6 ||
                    std::abs(digit - 5) < 1e-6)
            << digit;
      }
    }
  }
}

TEST(PlotAxis, ShareGoesFromOneEndToTheOther) {
  const Axis axis = choose_axis({-2, 6}, 5);
  EXPECT_EQ(axis.share(-2), 0);
  EXPECT_EQ(axis.share(0), 0.25);
  EXPECT_EQ(axis.share(6), 1);
}

TEST(PlotAxis, PaddingStaysAboveZeroWhereTheDataDoes) {
  const Range both = padded({-1, 1});
  EXPECT_LT(both.low, -1);
  EXPECT_GT(both.high, 1);
  EXPECT_EQ(padded({0.01, 1}).low, 0);
  EXPECT_GT(padded({0.5, 1}).low, 0);
}

TEST(PlotAxis, EqualValuesStandInTheMiddleOfARange) {
  for (const double value : {5.0, -5.0, 0.0, 1e-200, 1e100, 1e6 + 1e-9}) {
    const Range range = padded({value, value});
    EXPECT_LT(range.low, value) << value;
    EXPECT_GT(range.high, value) << value;
    EXPECT_GE(choose_axis(range, 8).ticks.size(), 2u) << value;
  }
}

TEST(PlotAxis, WhatCannotBeDrawn) {
  EXPECT_FALSE(drawable(std::nan("")));
  EXPECT_FALSE(drawable(INFINITY));
  EXPECT_FALSE(drawable(-1e300));
  EXPECT_TRUE(drawable(-1e100));
}

}  // namespace
}  // namespace vq
