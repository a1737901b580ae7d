// Where the parts of one panel of a plot go: margins by what the labels need, the legend in rows.
//
// Laws: the box stays inside the panel however small that is; legend entries do not overlap each
// other or the box.                                                          (plot_layout_test.cc)
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "formats/plot.h"

namespace vq {

constexpr int kLegendSample = 20;  // pixels of line before the name, at scale 1
constexpr size_t kDiagonalEntry = static_cast<size_t>(-1), kTextEntry = static_cast<size_t>(-2);

struct LegendEntry {
  size_t series = 0;  // its number, or kDiagonalEntry, or kTextEntry ("and 3 more")
  std::string text;
  int left = 0, top = 0, text_left = 0;
};

struct PanelLayout {
  int scale = 1;  // of letters and lines
  PlotFrame frame;
  std::string x_label, y_label;  // as much as fits
  int x_label_top = 0, y_label_left = 0;
  std::vector<LegendEntry> legend;
};

// The panel has the columns left..right-1 and the rows top..bottom-1 of the picture; its box begins
// no higher than `box_top`.
struct PanelPlace {
  int left = 0, right = 0, top = 0, bottom = 0;
  const PlotOptions& options;
  int box_top = 0;
};
PanelLayout lay_out_panel(const Panel& panel, const PanelPlace& place);
// All of the picture below the title.
PanelPlace whole_picture(const PlotOptions& options);
// In how many columns so many panels stand, so that their sides come nearest to 4 : 3.
int panel_columns(int panels, const PanelPlace& room);

void draw_title(Image& image, const PlotOptions& options);

// The text in at most `columns` letters, dots in place of its middle: names often differ at the
// end.
std::string cut_text(const std::string& utf8, int columns);

}  // namespace vq
