#include "formats/plot_layout.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace vq {
namespace {

constexpr Colour kInk = {32, 32, 32};
constexpr int kMargin = 6, kTick = 3, kGap = 4;  // at scale 1
constexpr int kBesideTick = 12;                  // free between labels of the x axis
constexpr int kLegendGap = 4, kBetweenEntries = 14;
constexpr int kTitleLine = kLineStep + 5;

int scale_of(const PlotOptions& options) {
  return std::max(1, std::min(options.width / 400, options.height / 200));
}

int letters_wide(const std::string& text) { return static_cast<int>(to_letters(text).size()); }

int widest_label(const Axis& axis) {
  int letters = 1;
  for (const std::string& label : axis.labels) letters = std::max(letters, letters_wide(label));
  return letters;
}

void widen(Range& range, bool& empty, double value) {
  if (!drawable(value)) return;
  range.low = empty ? value : std::min(range.low, value);
  range.high = empty ? value : std::max(range.high, value);
  empty = false;
}

Range range_of(const Panel& panel, bool of_x) {
  const auto& fixed = of_x ? panel.x_range : panel.y_range;
  if (fixed) return *fixed;
  Range range{0, 0};
  bool empty = true;
  for (const Series& s : panel.series) {
    for (size_t i = 0; i < std::min(s.x.size(), s.y.size()); ++i) {
      if (!drawable(s.x[i]) || !drawable(s.y[i])) continue;
      widen(range, empty, of_x ? s.x[i] : s.y[i]);
      if (of_x || i >= s.error.size() || !drawable(s.error[i])) continue;
      widen(range, empty, s.y[i] - s.error[i]);
      widen(range, empty, s.y[i] + s.error[i]);
    }
  }
  return empty ? Range{0, 1} : padded(range);
}

// As many ticks as have room for their labels.
Axis x_axis(Range range, int width, int scale) {
  for (int most = 10; most > 2; --most) {
    Axis axis = choose_axis(range, most);
    const int label = (widest_label(axis) * kLetterStep + kBesideTick) * scale;
    if (static_cast<int>(axis.ticks.size()) * label <= width) return axis;
  }
  return choose_axis(range, 2);
}

Axis y_axis(Range range, int height, int scale) {
  const int lines = height / (kLineStep * scale);
  return choose_axis(range, std::clamp(lines / 3, std::clamp(lines / 2, 2, 5), 10));
}

// Names in rows from left to right; at most a third of the panel's height.
class LegendRows {
 public:
  LegendRows(int left, int right, int top, int bottom, int scale)
      : left_(left), right_(right), bottom_(bottom), scale_(scale), at_(left), top_(top) {}

  // False where there is no room for it.
  bool add(size_t series, const std::string& name) {
    const int sample = series == kTextEntry ? 0 : (kLegendSample + kLegendGap) * scale_;
    const int letter = kLetterStep * scale_;
    const std::string text = cut_text(name, (right_ - left_ - sample) / letter);
    const int width = sample + letters_wide(text) * letter;
    if (at_ > left_ && at_ + width > right_) {
      if (top_ + 2 * step() > bottom_) return false;
      at_ = left_;
      top_ += step();
    }
    entries_.push_back({series, text, at_, top_, at_ + sample});
    at_ += width + kBetweenEntries * scale_;
    return true;
  }
  // In place of what does not fit.
  void end_with_more(size_t left_out) {
    if (!entries_.empty()) {
      at_ = entries_.back().left;
      entries_.pop_back();
    }
    entries_.push_back(
        {kTextEntry, "and " + std::to_string(left_out + 1) + " more", at_, top_, at_});
  }
  std::vector<LegendEntry> entries() const { return entries_; }
  int end() const { return entries_.empty() ? top_ : top_ + step(); }

 private:
  int step() const { return (kLineStep + 2) * scale_; }
  int left_, right_, bottom_, scale_, at_, top_;
  std::vector<LegendEntry> entries_;
};

LegendRows lay_out_legend(const Panel& panel, int left, int right, int top, int scale, int height) {
  LegendRows rows(left, right, top, top + height / 3, scale);
  if (panel.series.size() < 2 && panel.diagonal.empty()) return rows;
  for (size_t i = 0; i < panel.series.size(); ++i) {
    if (rows.add(i, panel.series[i].name)) continue;
    rows.end_with_more(panel.series.size() - i);
    return rows;
  }
  if (!panel.diagonal.empty()) rows.add(kDiagonalEntry, panel.diagonal);
  return rows;
}

}  // namespace

std::string cut_text(const std::string& utf8, int columns) {
  const std::string letters = to_letters(utf8);
  const auto room = static_cast<size_t>(std::max(columns, 4));
  if (letters.size() <= room) return letters;
  const size_t end = (room - 3) / 2;
  return letters.substr(0, room - 3 - end) + "..." + letters.substr(letters.size() - end);
}

PanelLayout lay_out_panel(const Panel& panel, const PanelPlace& place) {
  PanelLayout l;
  const int s = l.scale = scale_of(place.options);
  const int line = kLineStep * s, margin = kMargin * s, beside = (kTick + kGap) * s;
  const int x_line = panel.x_label.empty() ? 0 : line + 2 * s;
  const int y_line = panel.y_label.empty() ? 0 : line + 2 * s;

  const int head = place.top + margin, height = place.bottom - place.top;
  const int bottom = std::max(head + 8, place.bottom - margin - x_line - line - beside);
  const Range y_range = range_of(panel, false);
  const int letters = widest_label(y_axis(y_range, bottom - head, s));
  const int left = place.left + margin + y_line + letters * kLetterStep * s + beside;

  const LegendRows legend = lay_out_legend(panel, left, place.right - margin, head, s, height);
  l.legend = legend.entries();
  const int top = std::min(std::max(place.box_top, legend.end() + 2 * s), bottom - 8);
  const Axis y = y_axis(y_range, bottom - top, s);
  // Half of the last label may stand out on the right.
  int right = place.right - 2 * margin;
  Axis x = x_axis(range_of(panel, true), right - left, s);
  right = std::min(right, place.right - margin - widest_label(x) * kLetterStep * s / 2);
  right = std::max(right, left + 8);
  l.frame = {x_axis(x.range, right - left, s), y,
             static_cast<double>(left),        static_cast<double>(top),
             static_cast<double>(right),       static_cast<double>(bottom)};
  l.x_label = cut_text(panel.x_label, (place.right - place.left) / (kLetterStep * s));
  l.y_label = cut_text(panel.y_label, (bottom - top) / (kLetterStep * s));
  l.x_label_top = place.bottom - margin - line + 2 * s;
  l.y_label_left = place.left + margin;
  return l;
}

PanelPlace whole_picture(const PlotOptions& options) {
  const int title = options.title.empty() ? 0 : kTitleLine * scale_of(options);
  return {0, options.width, title, options.height, options};
}

int panel_columns(int panels, const PanelPlace& room) {
  int best = 1;
  double least = std::numeric_limits<double>::infinity();
  for (int columns = 1; columns <= panels; ++columns) {
    const int rows = (panels + columns - 1) / columns;
    const double width = static_cast<double>(room.right - room.left) / columns;
    const double height = static_cast<double>(room.bottom - room.top) / rows;
    const double off = std::abs(std::log(width / height * 3 / 4));
    if (off < least) best = columns, least = off;
  }
  return best;
}

void draw_title(Image& image, const PlotOptions& options) {
  const int letter = kLetterStep * scale_of(options);
  const std::string text = cut_text(options.title, (options.width - 2 * letter) / letter);
  draw_text(image, (options.width - letters_wide(text) * letter) / 2, kMargin * scale_of(options),
            text, scale_of(options), kInk);
}

}  // namespace vq
