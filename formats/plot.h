// Plots for a paper's draft: points with error bars, joined by lines, in one or more panels.
//
//   frame_of(panel, options)    where everything goes: axes and the box they enclose, in pixels
//   draw_plot(panels, options)  the picture: panels side by side or in rows, the title above all of
//   them
//
// The legend stands above the box and never over data. Colours are Okabe and Ito's, which colour
// blind people tell apart; marks differ from series to series as well. Text that does not fit is
// cut and marked with dots.
//
// Laws: a point is drawn at (pixel_x, pixel_y) of its frame, its error bar from value - error to
// value + error; a point whose x or y is not a number is left out and interrupts the line; nothing
// depends on where else the picture is drawn.                                       (plot_test.cc)
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "formats/image.h"
#include "formats/plot_axis.h"
#include "formats/strokes.h"

namespace vq {

struct Series {
  std::string name;
  std::vector<double> x, y;
  std::vector<double> error;   // of y; empty or NaN: no bar
  std::vector<double> weight;  // the larger, the larger its mark; empty: marks of one size
};

struct Panel {
  std::string x_label, y_label;
  std::vector<Series> series;
  std::string diagonal;  // what the dotted line x = y stands for; empty: no such line
  std::optional<Range> x_range, y_range;  // else what the points need
};

struct PlotOptions {
  int width = 960, height = 640;  // letters and lines grow with it
  std::string title = {};
};
constexpr int kSmallestPlot = 160, kLargestPlot = 8192;  // of width and height

struct PlotFrame {
  Axis x, y;
  double left = 0, top = 0, right = 0, bottom = 0;  // of the box, in pixels of the panel
  double pixel_x(double value) const { return left + x.share(value) * (right - left); }
  double pixel_y(double value) const { return bottom - y.share(value) * (bottom - top); }
};

// Of a panel that has the whole picture to itself.
PlotFrame frame_of(const Panel& panel, const PlotOptions& options = {});

Colour series_colour(size_t number);

Image draw_plot(const std::vector<Panel>& panels, const PlotOptions& options = {});

}  // namespace vq
