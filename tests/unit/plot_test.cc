#include "formats/plot.h"

#include <gtest/gtest.h>

#include <cmath>

#include "formats/error.h"

namespace vq {
namespace {

const double kNan = std::nan("");

Panel panel_of(std::vector<Series> series) { return {"x", "y", std::move(series), {}, {}, {}}; }

Colour colour_at(const Image& image, double x, double y) {
  const uint8_t* p = image.at(static_cast<int>(x), static_cast<int>(y));
  return {p[0], p[1], p[2]};
}

// Is the pixel more of the colour than of white?
bool mostly(Colour pixel, Colour colour) {
  const int ink = std::abs(255 - colour[0]);
  return std::abs(pixel[0] - colour[0]) < ink / 2 && std::abs(pixel[2] - colour[2]) < 60;
}

// Rows of the column at x that have the colour, first and last; {-1, -1}: none.
std::pair<int, int> rows_of(const Image& image, double x, Colour colour) {
  std::pair<int, int> rows{-1, -1};
  for (int y = 0; y < image.height; ++y) {
    if (!mostly(colour_at(image, x, y), colour)) continue;
    if (rows.first < 0) rows.first = y;
    rows.second = y;
  }
  return rows;
}

TEST(Plot, APointIsDrawnAtItsPixel) {
  const Panel panel = panel_of({{"a", {1, 2, 4}, {10, 30, -20}, {}, {}}});
  const PlotFrame frame = frame_of(panel);
  const Image image = draw_plot({panel});
  EXPECT_EQ(image.width, 960);
  EXPECT_EQ(image.height, 640);
  for (size_t i = 0; i < 3; ++i) {
    const double x = frame.pixel_x(panel.series[0].x[i]), y = frame.pixel_y(panel.series[0].y[i]);
    EXPECT_GT(x, frame.left);
    EXPECT_LT(x, frame.right);
    EXPECT_GT(y, frame.top);
    EXPECT_LT(y, frame.bottom);
    EXPECT_EQ(colour_at(image, x, y), series_colour(0));
  }
  EXPECT_LT(frame.pixel_y(30), frame.pixel_y(-20)) << "upwards is more";
  const double half = (frame.pixel_x(1) + frame.pixel_x(2)) / 2;
  EXPECT_EQ(colour_at(image, half, frame.pixel_y(20)), series_colour(0)) << "points are joined";
}

TEST(Plot, PointsAreJoinedInTheOrderOfX) {
  const Panel sorted = panel_of({{"a", {1, 2, 3}, {5, 9, 4}, {}, {}}});
  const Panel mixed = panel_of({{"a", {3, 1, 2}, {4, 5, 9}, {}, {}}});
  EXPECT_EQ(draw_plot({sorted}).rgb, draw_plot({mixed}).rgb);
}

TEST(Plot, ErrorBarsReachFromValueLessErrorToValuePlusError) {
  const Panel panel = panel_of({{"a", {1, 2}, {10, 20}, {3, kNan}, {}}});
  const PlotFrame frame = frame_of(panel);
  EXPECT_LT(frame.y.range.low, 7) << "the axis has room for them";
  const Image image = draw_plot({panel});
  const auto rows = rows_of(image, frame.pixel_x(1), series_colour(0));
  EXPECT_NEAR(rows.first, frame.pixel_y(13), 1.5);
  EXPECT_NEAR(rows.second, frame.pixel_y(7), 1.5);
  const auto without = rows_of(image, frame.pixel_x(2), series_colour(0));
  EXPECT_NEAR(without.first, frame.pixel_y(20), 12) << "only the mark";
}

TEST(Plot, WhatIsNotANumberIsLeftOutAndInterruptsTheLine) {
  const Panel panel = panel_of({{"a", {1, 2, 3, kNan}, {10, kNan, 30, 500}, {}, {}}});
  const PlotFrame frame = frame_of(panel);
  EXPECT_LT(frame.y.range.high, 40);
  const Image image = draw_plot({panel});
  EXPECT_EQ(colour_at(image, frame.pixel_x(3), frame.pixel_y(30)), series_colour(0));
  EXPECT_EQ(rows_of(image, frame.pixel_x(2), series_colour(0)).first, -1);
  draw_plot({panel_of({{"a", {1, 2}, {kNan, INFINITY}, {kNan, 1}, {}}})});  // an empty box
}

TEST(Plot, OnePointAndEqualValuesHaveRoomAroundThem) {
  for (const double y : {0.0, 5.0, -1e-12, 1e100}) {
    const Panel one = panel_of({{"a", {y}, {y}, {0}, {}}});
    const Panel equal = panel_of({{"a", {1, 2, 3}, {y, y, y}, {}, {}}});
    for (const Panel& panel : {one, equal}) {
      const PlotFrame frame = frame_of(panel);
      const double x = frame.pixel_x(panel.series[0].x[0]);
      EXPECT_NEAR(frame.pixel_y(y), (frame.top + frame.bottom) / 2, 1);
      EXPECT_EQ(colour_at(draw_plot({panel}), x, frame.pixel_y(y)), series_colour(0));
    }
  }
}

TEST(Plot, HeavierPointsHaveLargerMarks) {
  const Panel panel = panel_of({{"a", {1, 2}, {1, 1}, {}, {100, 10000}}});
  const PlotFrame frame = frame_of(panel);
  const Image image = draw_plot({panel});
  const auto height = [&](double x) {
    const auto rows = rows_of(image, frame.pixel_x(x), series_colour(0));
    return rows.second - rows.first;
  };
  EXPECT_GT(height(2), 2 * height(1));
}

TEST(Plot, BarsThatLeaveAFixedRangeEndAtTheBox) {
  Panel panel = panel_of({{"a", {0.5}, {1}, {0.5}, {}}});
  panel.x_range = panel.y_range = Range{0, 1};
  const PlotFrame frame = frame_of(panel);
  const auto rows = rows_of(draw_plot({panel}), frame.pixel_x(0.5), series_colour(0));
  EXPECT_NEAR(rows.second, frame.pixel_y(0.5), 1.5);
  EXPECT_GT(rows.first, frame.top - 8);
}

TEST(Plot, PanelsStandSideBySide) {
  const Panel panel = panel_of({{"a", {1, 2}, {1, 2}, {}, {}}});
  const Image two = draw_plot({panel, panel}, {.width = 800, .height = 300});
  EXPECT_EQ(two.width, 800);
  for (int y = 0; y < 300; ++y) {
    for (int x = 0; x < 400; ++x) {
      ASSERT_EQ(colour_at(two, x, y), colour_at(two, 400 + x, y));
    }
  }
}

TEST(Plot, SizesOutOfRangeAreRefused) {
  EXPECT_THROW(draw_plot({}, {.width = 10, .height = 300}), Error);
  EXPECT_THROW(draw_plot({}, {.width = 300, .height = 100000}), Error);
}

}  // namespace
}  // namespace vq
