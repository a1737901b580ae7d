#include "formats/strokes.h"

#include <algorithm>
#include <cmath>

namespace vq {
namespace {

// Blends where `distance` (to the edge of the shape, negative inside) says so, within a box.
template <class Distance>
void paint(Image& image, Place low, Place high, Colour colour, double opacity,
           const Distance& distance) {
  const auto bound = [](double v, int most) {
    return static_cast<int>(std::clamp(v, 0.0, static_cast<double>(most)));
  };
  const int right = bound(std::ceil(high.x + 1), image.width);
  const int bottom = bound(std::ceil(high.y + 1), image.height);
  for (int y = bound(std::floor(low.y - 1), image.height); y < bottom; ++y) {
    for (int x = bound(std::floor(low.x - 1), image.width); x < right; ++x) {
      const double share = opacity * std::clamp(0.5 - distance({x + 0.5, y + 0.5}), 0.0, 1.0);
      if (share <= 0) continue;
      uint8_t* pixel = image.at(x, y);
      for (size_t c = 0; c < 3; ++c) {
        pixel[c] = static_cast<uint8_t>(std::lround(pixel[c] + share * (colour[c] - pixel[c])));
      }
    }
  }
}

double distance_to_segment(Place p, Place a, Place b) {
  const double dx = b.x - a.x, dy = b.y - a.y, squared = dx * dx + dy * dy;
  double along = 0;
  if (squared > 0) along = std::clamp(((p.x - a.x) * dx + (p.y - a.y) * dy) / squared, 0.0, 1.0);
  return std::hypot(p.x - a.x - along * dx, p.y - a.y - along * dy);
}

double distance_to_mark(Mark mark, double dx, double dy, double radius) {
  switch (mark) {
    case Mark::disc:
      return std::hypot(dx, dy) - radius;
    case Mark::square:
      return std::max(std::abs(dx), std::abs(dy)) - 0.89 * radius;
    case Mark::diamond:
      return (std::abs(dx) + std::abs(dy) - 1.25 * radius) / std::sqrt(2.0);
    case Mark::triangle:  // on its base; three edges at 120 degrees
      return std::max(dy, std::abs(dx) * std::sqrt(0.75) - 0.5 * dy) - 0.72 * radius;
  }
  return radius;
}

}  // namespace

Image blank_image(int width, int height) {
  Image image{width, height, {}};
  image.rgb.assign(3 * static_cast<size_t>(width) * height, 255);
  return image;
}

void draw_line(Image& image, Place from, Place to, double width, Colour colour, double opacity) {
  const double half = width / 2;
  paint(image, {std::min(from.x, to.x) - half, std::min(from.y, to.y) - half},
        {std::max(from.x, to.x) + half, std::max(from.y, to.y) + half}, colour, opacity,
        [&](Place p) { return distance_to_segment(p, from, to) - half; });
}

void draw_dotted_line(Image& image, Place from, Place to, double width, Colour colour) {
  const double length = std::hypot(to.x - from.x, to.y - from.y);
  const int dots = std::max(1, static_cast<int>(length / (2 * width)));
  for (int i = 0; i <= dots; ++i) {
    const double share = static_cast<double>(i) / dots;
    const Place at{from.x + share * (to.x - from.x), from.y + share * (to.y - from.y)};
    draw_line(image, at, at, width, colour);
  }
}

void draw_mark(Image& image, Place centre, Mark mark, double radius, Colour colour,
               double opacity) {
  const double reach = 1.5 * radius;
  paint(image, {centre.x - reach, centre.y - reach}, {centre.x + reach, centre.y + reach}, colour,
        opacity,
        [&](Place p) { return distance_to_mark(mark, p.x - centre.x, p.y - centre.y, radius); });
}

void fill_box(Image& image, int left, int top, int width, int height, Colour colour) {
  for (int y = std::max(top, 0); y < std::min(top + height, image.height); ++y) {
    for (int x = std::max(left, 0); x < std::min(left + width, image.width); ++x) {
      std::copy(colour.begin(), colour.end(), image.at(x, y));
    }
  }
}

void draw_text_upwards(Image& image, int left, int bottom, std::string_view utf8, int scale,
                       Colour colour) {
  const auto letters = static_cast<int>(to_letters(utf8).size());
  Image flat = blank_image(std::max(1, letters * kLetterStep * scale), kLineStep * scale);
  draw_text(flat, 0, 0, utf8, scale, {0, 0, 0});
  for (int y = 0; y < flat.height; ++y) {
    for (int x = 0; x < flat.width; ++x) {
      if (flat.at(x, y)[0] == 0) fill_box(image, left + y, bottom - 1 - x, 1, 1, colour);
    }
  }
}

}  // namespace vq
