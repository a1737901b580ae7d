#include "formats/sheet.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "formats/error.h"
#include "formats/font.h"

namespace vq {
namespace {

constexpr int kGap = 8, kAboveText = 4, kSmallestCell = 128;
constexpr int kLargestSide = 32768;
constexpr int64_t kMostPixels = int64_t{1} << 26;  // image.h's limits
constexpr Colour kInk = {32, 32, 32};

struct Layout {
  int columns = 1, scale = 1, text_scale = 1;
  int cell_width = 0, width = 0, height = 0;
  std::vector<int> row_top, row_text;               // where a row's pictures and captions begin
  std::vector<std::vector<std::string>> captions;   // wrapped
};

int choose_scale(const std::vector<SheetCell>& cells, int wanted) {
  if (wanted > 0) return wanted;
  int widest = 1;
  for (const SheetCell& cell : cells) widest = std::max(widest, cell.image.width);
  return std::max(1, (kSmallestCell + widest - 1) / widest);
}

int choose_columns(size_t cells, int wanted) {
  const int columns = wanted > 0 ? wanted : static_cast<int>(std::ceil(std::sqrt(1.5 * cells)));
  return std::clamp(columns, 1, static_cast<int>(std::max<size_t>(cells, 1)));
}

void check_size(int64_t width, int64_t height) {
  if (width <= kLargestSide && height <= kLargestSide && width * height <= kMostPixels) return;
  throw Error("", fmt::format("a contact sheet of {} x {} pixels is too large", width, height),
              "use a smaller --scale or fewer pictures");
}

Layout lay_out(const std::vector<SheetCell>& cells, const SheetOptions& options) {
  Layout l;
  l.columns = choose_columns(cells.size(), options.columns);
  l.scale = choose_scale(cells, options.scale);
  int64_t widest = 1;
  for (const SheetCell& cell : cells) widest = std::max<int64_t>(widest, cell.image.width);
  const int64_t width = kGap + l.columns * (widest * l.scale + kGap);
  check_size(width, 1);
  l.width = static_cast<int>(width);
  l.cell_width = static_cast<int>(widest) * l.scale;
  l.text_scale = l.cell_width >= 224 ? 2 : 1;
  for (const SheetCell& cell : cells) {
    const int letters = l.cell_width / (kLetterStep * l.text_scale);
    l.captions.push_back(wrap_text(cell.caption, letters, options.max_lines));
  }
  int64_t y = kGap;
  for (size_t first = 0; first < cells.size(); first += l.columns) {
    int64_t tallest = 1;
    size_t lines = 0;
    for (size_t i = first; i < std::min(cells.size(), first + l.columns); ++i) {
      tallest = std::max<int64_t>(tallest, cells[i].image.height);
      lines = std::max(lines, l.captions[i].size());
    }
    l.row_top.push_back(static_cast<int>(y));
    y += tallest * l.scale + kAboveText;
    l.row_text.push_back(static_cast<int>(y));
    y += static_cast<int64_t>(lines) * kLineStep * l.text_scale + kGap;
    check_size(width, y);
  }
  l.height = static_cast<int>(y);
  return l;
}

void place(Image& sheet, const Image& image, int left, int top, int scale) {
  for (int y = 0; y < image.height * scale; ++y) {
    for (int x = 0; x < image.width * scale; ++x) {
      std::copy_n(image.at(x / scale, y / scale), 3, sheet.at(left + x, top + y));
    }
  }
}

}  // namespace

Image draw_sheet(const std::vector<SheetCell>& cells, const SheetOptions& options) {
  const Layout l = lay_out(cells, options);
  Image sheet{l.width, l.height, {}};
  sheet.rgb.assign(3 * static_cast<size_t>(l.width) * l.height, 255);
  for (size_t i = 0; i < cells.size(); ++i) {
    const auto row = i / l.columns, column = i % l.columns;
    const int left = kGap + static_cast<int>(column) * (l.cell_width + kGap);
    place(sheet, cells[i].image, left, l.row_top[row], l.scale);
    int y = l.row_text[row];
    for (const std::string& line : l.captions[i]) {
      draw_text(sheet, left, y, line, l.text_scale, kInk);
      y += kLineStep * l.text_scale;
    }
  }
  return sheet;
}

}  // namespace vq
