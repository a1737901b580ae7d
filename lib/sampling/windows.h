// Grids larger than the model's: filled window by window, each of the model's size, each
// overlapping what is there already (outpainting).
//
// The windows lie on a lattice that covers the canvas. The one that holds the most given cells
// comes first, then always the one that holds the most cells that are there by then; equal ones row
// by row. In each window what is there is frozen and the rest is sampled, so every new cell sees as
// much of its surroundings as the overlap allows, and nothing that was given changes.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "lib/sampling/sampler.h"

namespace vq {

struct Area {
  int64_t row = 0, column = 0, height = 0, width = 0;  // in cells
};

// Windows of window.height x window.width over a canvas of height x width, in the order in which
// they are filled; `given` is what is there before (its height 0: nothing). Neighbours share
// `overlap` rows or columns, more at the far edges. Throws vq::Error (usage) when the canvas is
// smaller than a window or the overlap not smaller than it.
std::vector<Area> plan_windows(int64_t height, int64_t width, const Area& window, int64_t overlap,
                               const Area& given);

// As sample(), but request.tokens (B, height * width) is a canvas, K for what is to be made, and
// every other cell stays. request.frozen and request.time are not looked at. Window w has noise of
// its own. `each_step` sees the canvas; its steps count through all windows.
at::Tensor sample_windows(const DiffusionModel& model, const Request& request, int64_t height,
                          int64_t width, const std::vector<Area>& windows,
                          const SamplerOptions& options, SamplerReport* report = nullptr,
                          const std::function<void(int, const at::Tensor&)>& each_step = {});

}  // namespace vq
