#include "formats/plot.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "formats/error.h"
#include "formats/plot_layout.h"

namespace vq {
namespace {

constexpr Colour kInk = {32, 32, 32}, kGrid = {229, 229, 229}, kDiagonal = {120, 120, 120};
constexpr Colour kWhite = {255, 255, 255};
constexpr double kRadius = 2.7, kLargestRadius = 6, kLineWidth = 1;  // at scale 1
constexpr double kErrorWidth = 0.75, kFaint = 0.4;
constexpr int kTick = 3, kGap = 4;  // the same

// Okabe and Ito's, without the yellow that white swallows.
constexpr Colour kColours[] = {{0, 114, 178}, {213, 94, 0},   {0, 158, 115}, {204, 121, 167},
                               {230, 159, 0}, {86, 180, 233}, {0, 0, 0}};
constexpr size_t kColourCount = std::size(kColours);

Mark series_mark(size_t number) {
  constexpr Mark kMarks[] = {Mark::disc, Mark::square, Mark::diamond, Mark::triangle};
  return kMarks[number % std::size(kMarks)];
}

class PanelDrawing {
 public:
  PanelDrawing(Image& image, const Panel& panel, const PanelLayout& layout)
      : image_(image), panel_(panel), l_(layout), frame_(layout.frame), scale_(layout.scale) {}

  void draw() {
    draw_axes();
    draw_labels();
    draw_legend();
    if (!panel_.diagonal.empty()) draw_diagonal();
    for (const size_t i : series_order()) draw_series(i);
  }

 private:
  static int whole(double v) { return static_cast<int>(std::lround(v)); }
  static int text_width(const std::string& text, int scale) {
    return static_cast<int>(to_letters(text).size()) * kLetterStep * scale - scale;
  }

  void draw_axes() {
    const int left = whole(frame_.left), bottom = whole(frame_.bottom), s = scale_;
    const int width = whole(frame_.right) - left, height = bottom - whole(frame_.top);
    for (const double tick : frame_.x.ticks) {
      const int at = whole(frame_.pixel_x(tick));
      fill_box(image_, at - s / 2, bottom - height, std::max(1, s / 2), height, kGrid);
      fill_box(image_, at - s / 2, bottom, std::max(1, s / 2), kTick * s, kInk);
    }
    for (const double tick : frame_.y.ticks) {
      const int at = whole(frame_.pixel_y(tick));
      fill_box(image_, left, at - s / 2, width, std::max(1, s / 2), kGrid);
      fill_box(image_, left - kTick * s, at - s / 2, kTick * s, std::max(1, s / 2), kInk);
    }
    fill_box(image_, left - s / 2, bottom - height, std::max(1, s / 2), height, kInk);
    fill_box(image_, left - s / 2, bottom, width + s / 2, std::max(1, s / 2), kInk);
  }

  void draw_labels() {
    const int s = scale_, left = whole(frame_.left), bottom = whole(frame_.bottom);
    for (size_t i = 0; i < frame_.x.ticks.size(); ++i) {
      const std::string& label = frame_.x.labels[i];
      draw_text(image_, whole(frame_.pixel_x(frame_.x.ticks[i])) - text_width(label, s) / 2,
                bottom + (kTick + kGap) * s, label, s, kInk);
    }
    for (size_t i = 0; i < frame_.y.ticks.size(); ++i) {
      const std::string& label = frame_.y.labels[i];
      draw_text(image_, left - (kTick + kGap) * s - text_width(label, s),
                whole(frame_.pixel_y(frame_.y.ticks[i])) - 7 * s / 2, label, s, kInk);
    }
    const int middle = whole((frame_.left + frame_.right) / 2);
    draw_text(image_, std::max(0, middle - text_width(l_.x_label, s) / 2), l_.x_label_top,
              l_.x_label, s, kInk);
    const int centre = whole((frame_.top + frame_.bottom) / 2);
    draw_text_upwards(image_, l_.y_label_left,
                      std::min(image_.height, centre + text_width(l_.y_label, s) / 2), l_.y_label,
                      s, kInk);
  }

  void draw_legend() {
    for (const LegendEntry& entry : l_.legend) {
      const double middle = entry.top + 3.5 * scale_, right = entry.left + kLegendSample * scale_;
      if (entry.series == kDiagonalEntry) {
        draw_dotted_line(image_, {entry.left + 1.0 * scale_, middle}, {right - scale_, middle},
                         1.5 * scale_, kDiagonal);
      } else if (entry.series != kTextEntry) {
        const Colour colour = series_colour(entry.series);
        draw_line(image_, {entry.left + 1.0 * scale_, middle}, {right - scale_, middle},
                  kLineWidth * scale_, colour);
        draw_mark(image_, {(entry.left + right) / 2, middle}, series_mark(entry.series),
                  1.2 * kRadius * scale_, colour);
      }
      draw_text(image_, entry.text_left, entry.top, entry.text, scale_, kInk);
    }
  }

  void draw_diagonal() {
    const double low = std::max(frame_.x.range.low, frame_.y.range.low);
    const double high = std::min(frame_.x.range.high, frame_.y.range.high);
    if (low >= high) return;
    draw_dotted_line(image_, {frame_.pixel_x(low), frame_.pixel_y(low)},
                     {frame_.pixel_x(high), frame_.pixel_y(high)}, 1.5 * scale_, kDiagonal);
  }

  Place place(const Series& series, size_t i) const {
    return {frame_.pixel_x(series.x[i]), frame_.pixel_y(series.y[i])};
  }

  // Marks hide the line where the points stand close.
  double radius(const Series& series, size_t i) const {
    const double room = (frame_.right - frame_.left) / static_cast<double>(series.x.size());
    if (series.weight.empty() || heaviest_ <= 0) {
      return room < 1.5 * kRadius * scale_ ? 0 : kRadius * scale_;
    }
    const bool weighs = i < series.weight.size() && std::isfinite(series.weight[i]);
    const double share = weighs ? series.weight[i] / heaviest_ : 0;
    return scale_ * std::max(1.5, kLargestRadius * std::sqrt(std::max(share, 0.0)));
  }

  void draw_error_bar(const Series& series, size_t i, double mark, Colour colour) {
    if (i >= series.error.size() || !drawable(series.error[i]) || series.error[i] <= 0) return;
    const double x = frame_.pixel_x(series.x[i]), cap = mark > 0 ? 2.5 * scale_ : 0;
    const Range& shown = frame_.y.range;
    const double low = series.y[i] - series.error[i], high = series.y[i] + series.error[i];
    const auto pixel = [&](double y) {
      return frame_.pixel_y(std::clamp(y, shown.low, shown.high));
    };
    draw_line(image_, {x, pixel(low)}, {x, pixel(high)}, kErrorWidth * scale_, colour);
    for (const double y : {low, high}) {
      if (cap <= 0 || y < shown.low || y > shown.high) continue;
      draw_line(image_, {x - cap, pixel(y)}, {x + cap, pixel(y)}, kErrorWidth * scale_, colour);
    }
  }

  // As given, but large marks first: they would hide smaller ones.
  std::vector<size_t> series_order() {
    std::vector<double> heaviest(panel_.series.size(), 0);
    for (size_t i = 0; i < heaviest.size(); ++i) {
      for (const double w : panel_.series[i].weight) {
        if (std::isfinite(w)) heaviest[i] = std::max(heaviest[i], w);
      }
      heaviest_ = std::max(heaviest_, heaviest[i]);
    }
    std::vector<size_t> order(heaviest.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return heaviest[a] > heaviest[b]; });
    return order;
  }

  void draw_series(size_t number) {
    const Series& series = panel_.series[number];
    const Colour colour = series_colour(number);
    const std::vector<size_t> order = drawing_order(series);
    for (size_t k = 1; k < order.size(); ++k) {
      if (!drawable(series.y[order[k - 1]]) || !drawable(series.y[order[k]])) continue;
      draw_line(image_, place(series, order[k - 1]), place(series, order[k]), kLineWidth * scale_,
                colour, series.weight.empty() ? 1 : kFaint);
    }
    for (const size_t i : order) {
      if (!drawable(series.y[i])) continue;
      const double size = radius(series, i);
      draw_error_bar(series, i, size, colour);
      if (order.size() > 1 && size <= 0) continue;
      draw_mark(image_, place(series, i), series_mark(number), size + 0.5 * scale_, kWhite);
      draw_mark(image_, place(series, i), series_mark(number), size, colour);
    }
  }

  // By x; points without an x have no place.
  static std::vector<size_t> drawing_order(const Series& series) {
    std::vector<size_t> order;
    for (size_t i = 0; i < std::min(series.x.size(), series.y.size()); ++i) {
      if (drawable(series.x[i])) order.push_back(i);
    }
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return series.x[a] < series.x[b]; });
    return order;
  }

  Image& image_;
  const Panel& panel_;
  const PanelLayout& l_;
  const PlotFrame& frame_;
  const int scale_;
  double heaviest_ = 0;  // of all points
};

void check_size(const PlotOptions& options) {
  for (const int side : {options.width, options.height}) {
    if (side < kSmallestPlot || side > kLargestPlot) {
      throw Error("", "a plot has from " + std::to_string(kSmallestPlot) + " to " +
                          std::to_string(kLargestPlot) + " pixels a side");
    }
  }
}

// In rows, with boxes of one height in each though their legends differ.
std::vector<PanelLayout> lay_out_panels(const std::vector<Panel>& panels,
                                        const PlotOptions& options) {
  const PanelPlace room = whole_picture(options);
  const int count = static_cast<int>(panels.size()), columns = panel_columns(count, room);
  const int rows = (count + columns - 1) / columns, height = room.bottom - room.top;
  std::vector<PanelLayout> layouts(panels.size());
  for (int row = 0; row < rows; ++row) {
    const int first = row * columns, end = std::min(count, first + columns);
    int box_top = 0;
    for (const bool last : {false, true}) {
      for (int i = first; i < end; ++i) {
        const int column = i - first;
        layouts[i] = lay_out_panel(
            panels[i], {options.width * column / columns, options.width * (column + 1) / columns,
                        room.top + height * row / rows, room.top + height * (row + 1) / rows,
                        options, last ? box_top : 0});
        box_top = std::max(box_top, static_cast<int>(layouts[i].frame.top));
      }
    }
  }
  return layouts;
}

}  // namespace

Colour series_colour(size_t number) { return kColours[number % kColourCount]; }

PlotFrame frame_of(const Panel& panel, const PlotOptions& options) {
  return lay_out_panel(panel, whole_picture(options)).frame;
}

Image draw_plot(const std::vector<Panel>& panels, const PlotOptions& options) {
  check_size(options);
  Image image = blank_image(options.width, options.height);
  const std::vector<PanelLayout> layouts = lay_out_panels(panels, options);
  for (size_t i = 0; i < panels.size(); ++i) PanelDrawing(image, panels[i], layouts[i]).draw();
  draw_title(image, options);
  return image;
}

}  // namespace vq
