// An order of the cells of a grid that spreads: early cells lie far from each other (low
// discrepancy), so tokens drawn together are as little dependent as they can be (Halton-MaskGIT,
// Besnier et al. 2025).
//
// The points of the Halton sequence in bases 2 (rows) and 3 (columns), from its first point on,
// fall into cells; a cell takes its place when it is hit first. Every cell is hit sooner or later,
// so the order is complete for any height and width.
#pragma once

#include <cstdint>
#include <vector>

namespace vq {

// Cell numbers (row * width + column), each once.
std::vector<int64_t> halton_order(int64_t height, int64_t width);

// The radical inverse: the digits of n in the base, mirrored at the point. 0 <= result < 1.
double radical_inverse(uint64_t n, uint64_t base);

}  // namespace vq
