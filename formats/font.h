// A small bitmap font for captions under pictures: printable ASCII, 5 x 9 pixels a letter.
//
// Text is UTF-8; a character outside printable ASCII shows as a box, one box a character.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "formats/image.h"

namespace vq {

using Colour = std::array<uint8_t, 3>;

// From one letter to the next and from one line to the next, in pixels at scale 1.
constexpr int kLetterStep = 6, kLineStep = 11;

// One byte a character: printable ASCII as it is, anything else becomes '\x7f' (the box).
std::string to_letters(std::string_view utf8);

// Lines of at most `columns` letters, broken at spaces where possible; a longer word is cut. What
// does not fit into max_lines is left out and marked with three dots.
std::vector<std::string> wrap_text(std::string_view utf8, int columns, int max_lines);

// The text's top left corner is at x, y; what lies outside the image is not drawn.
void draw_text(Image& image, int x, int y, std::string_view utf8, int scale, Colour colour);

}  // namespace vq
