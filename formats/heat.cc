#include "formats/heat.h"

#include <algorithm>
#include <cmath>

namespace vq {
namespace {

constexpr int kCell = 5;        // odd, so that the cross has a middle
constexpr int kLargest = 320;   // pixels of a grid's longer side, where that leaves a pixel a token
constexpr int kCrossFrom = 3;   // smaller squares are grey alone
constexpr uint8_t kGrey = 128;  // of [mask]
constexpr uint8_t kCross = 40;

}  // namespace

CodeColour colour_of_code(int32_t code) {
  // Steps of the golden ratio around the circle of hues come near no earlier one for long; three
  // levels of brightness tell those apart that do. Saturation is at least one half: no grey.
  constexpr double kGoldenRatio = 0.6180339887498949;
  const double hue = 6 * std::fmod(code * kGoldenRatio, 1.0);
  const double value = 1 - 0.25 * (code % 3);
  const double saturation = code / 3 % 2 == 0 ? 0.85 : 0.55;
  CodeColour colour;
  for (int channel = 0; channel < 3; ++channel) {
    const double at = std::fmod(5 - 2 * channel + hue, 6.0);
    const double dip = std::clamp(std::min(at, 4 - at), 0.0, 1.0);
    colour[channel] = static_cast<uint8_t>(std::lround(255 * value * (1 - saturation * dip)));
  }
  return colour;
}

int heat_cell(const GridHeader& header) {
  return std::clamp(kLargest / std::max(header.height, header.width), 1, kCell);
}

Image draw_heat(const GridHeader& header, const TokenRecord& record) {
  const int cell = heat_cell(header);
  Image image{header.width * cell, header.height * cell, {}};
  image.rgb.resize(3 * static_cast<size_t>(image.width) * image.height);
  for (int i = 0; i < header.length(); ++i) {
    const int32_t token = record.tokens[static_cast<size_t>(i)];
    const bool masked = token == header.codebook_size;
    const CodeColour colour = masked ? CodeColour{kGrey, kGrey, kGrey} : colour_of_code(token);
    for (int y = 0; y < cell; ++y) {
      for (int x = 0; x < cell; ++x) {
        uint8_t* to = image.at(i % header.width * cell + x, i / header.width * cell + y);
        const bool cross = masked && cell >= kCrossFrom && (x == y || x + y == cell - 1);
        for (int channel = 0; channel < 3; ++channel)
          to[channel] = cross ? kCross : colour[channel];
      }
    }
  }
  return image;
}

}  // namespace vq
