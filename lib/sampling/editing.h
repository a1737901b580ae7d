// Where a run starts when it does not start from nothing: which cells of a given grid stay, which
// are made anew, and how noisy they are at first.
//
//   inpainting   the freed cells start as [mask], at time T
//   variation    they start as q(x_t | x_0) at t = strength T (Eq. 4), and the run begins there
//
// What is not freed is frozen: no step changes it, the last one included.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "formats/image.h"
#include "lib/diffusion/schedule.h"

namespace vq {

// The cells of a height x width grid that a mask picture frees: those under which any pixel is
// brighter than middle grey, and all within `grow` cells of them (diagonals count one). The picture
// may have any size; it covers the grid.
std::vector<bool> free_cells(const Image& mask, int64_t height, int64_t width, int64_t grow);

struct Start {
  at::Tensor tokens;  // (B, L) int64, K for [mask]
  at::Tensor frozen;  // (B, L) bool
  double time;        // of the schedule
};

// tokens (B, L) int64, K for [mask], which is always free; free (B, L) bool; 0 < strength <= 1. The
// noise depends on (seed, record, position).
Start start_from(const Schedule& schedule, const at::Tensor& tokens, const at::Tensor& free,
                 double strength, uint64_t seed, const std::vector<uint64_t>& records);

}  // namespace vq
