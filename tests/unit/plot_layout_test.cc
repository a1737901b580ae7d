#include "formats/plot_layout.h"

#include <gtest/gtest.h>

namespace vq {
namespace {

Panel panel_of(size_t series, size_t name_length) {
  Panel panel{"guidance", "value", {}, "calibrated", {}, {}};
  for (size_t i = 0; i < series; ++i) {
    panel.series.push_back({std::string(name_length, 'n') + std::to_string(i),
                            {1, 2},
                            {0.001 * static_cast<double>(i), 1e7},
                            {},
                            {}});
  }
  return panel;
}

PanelLayout lay_out(const Panel& panel, const PlotOptions& options) {
  return lay_out_panel(panel, whole_picture(options));
}

int end_of(const LegendEntry& entry, int scale) {
  return entry.text_left + static_cast<int>(entry.text.size()) * kLetterStep * scale;
}

TEST(PlotLayout, TheBoxStaysInsideAndTheLegendAboveIt) {
  for (const size_t series : {1, 3, 9, 200}) {
    for (const size_t name : {1, 12, 500}) {
      for (const PlotOptions& options : {PlotOptions{960, 640, "title"}, PlotOptions{160, 160, ""},
                                         PlotOptions{1920, 400, ""}}) {
        const PanelLayout l = lay_out(panel_of(series, name), options);
        EXPECT_GE(l.frame.left, 0);
        EXPECT_LT(l.frame.left, l.frame.right);
        EXPECT_LE(l.frame.right, options.width);
        EXPECT_LT(l.frame.top, l.frame.bottom);
        EXPECT_LT(l.frame.bottom, options.height);
        for (const LegendEntry& entry : l.legend) {
          EXPECT_LE(entry.top + 7 * l.scale, l.frame.top) << series << " " << name;
          if (options.width == 160) continue;  // too narrow for the shortest names
          EXPECT_LE(end_of(entry, l.scale), options.width);
        }
      }
    }
  }
}

TEST(PlotLayout, EntriesOfTheLegendDoNotOverlap) {
  const PanelLayout l = lay_out(panel_of(9, 14), {});
  ASSERT_EQ(l.legend.size(), 10u);
  for (size_t i = 1; i < l.legend.size(); ++i) {
    const LegendEntry &before = l.legend[i - 1], &entry = l.legend[i];
    if (entry.top == before.top) {
      EXPECT_GT(entry.left, end_of(before, l.scale));
    } else {
      EXPECT_GE(entry.top, before.top + 9 * l.scale);
    }
  }
  EXPECT_EQ(l.legend.back().series, kDiagonalEntry);
}

TEST(PlotLayout, WhatTheLegendHasNoRoomForIsCounted) {
  const PanelLayout l = lay_out(panel_of(100, 60), {});
  const size_t shown = l.legend.size() - 1;
  EXPECT_LT(shown, 20u);
  EXPECT_EQ(l.legend.back().series, kTextEntry);
  EXPECT_EQ(l.legend.back().text, "and " + std::to_string(100 - shown) + " more");
}

TEST(PlotLayout, OneSeriesNeedsNoLegend) {
  Panel panel = panel_of(1, 5);
  panel.diagonal.clear();
  EXPECT_TRUE(lay_out(panel, {}).legend.empty());
}

TEST(PlotLayout, LabelsOfTheXAxisDoNotOverlap) {
  Panel panel = panel_of(1, 5);
  for (const double size : {1.0, 3000.0, 123456.0}) {
    for (const int width : {200, 400, 960}) {
      panel.series[0].x = {41 * size, 42.7 * size};
      const PanelLayout l = lay_out(panel, {.width = width, .height = 300});
      const Axis& x = l.frame.x;
      for (size_t i = 1; i < x.ticks.size(); ++i) {
        const auto letters = (x.labels[i - 1].size() + x.labels[i].size()) / 2.0;
        EXPECT_GT(l.frame.pixel_x(x.ticks[i]) - l.frame.pixel_x(x.ticks[i - 1]),
                  letters * kLetterStep * l.scale)
            << size << " " << width;
      }
    }
  }
}

TEST(PlotLayout, PanelsStandInRowsWhereAllBesideEachOtherWouldBeNarrow) {
  const PlotOptions options;  // 960 x 640
  const std::vector<int> columns = {1, 2, 2, 2, 3, 3};
  for (int panels = 1; panels <= 6; ++panels)
    EXPECT_EQ(panel_columns(panels, whole_picture(options)), columns[panels - 1]) << panels;
  EXPECT_EQ(panel_columns(4, whole_picture({2000, 400, ""})), 4);
  EXPECT_EQ(panel_columns(4, whole_picture({300, 1600, ""})), 1);
}

TEST(PlotLayout, LongTextLosesItsMiddle) {
  EXPECT_EQ(cut_text("guidance", 8), "guidance");
  EXPECT_EQ(cut_text("a series number 7", 9), "a s...r 7");
}

}  // namespace
}  // namespace vq
