// Token grids as pictures of their own: a square a token, coloured by its code. Shows which codes
// repeat where, and what is still [mask], without a codec.
//
// Equal codes have equal colours; neighbouring codes have colours far apart, for a code's number
// says nothing of what it looks like. [mask] is grey with a cross, which no code is.
#pragma once

#include <array>
#include <cstdint>

#include "formats/image.h"
#include "formats/token_grid.h"

namespace vq {

using CodeColour = std::array<uint8_t, 3>;  // red, green, blue

CodeColour colour_of_code(int32_t code);

// Pixels a side of a token's square: 5, and fewer for grids of more than 64 a side.
int heat_cell(const GridHeader& header);

// height * heat_cell() by width * heat_cell() pixels.
Image draw_heat(const GridHeader& header, const TokenRecord& record);

}  // namespace vq
