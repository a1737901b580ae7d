#include "lib/sampling/windows.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>

#include "formats/error.h"
#include "lib/random.h"

namespace vq {
namespace {

// Starts of windows along one side, the last one flush with the end.
std::vector<int64_t> starts(int64_t canvas, int64_t window, int64_t overlap) {
  std::vector<int64_t> list = {0};
  while (list.back() + window < canvas)
    list.push_back(std::min(list.back() + window - overlap, canvas - window));
  return list;
}

at::Tensor part(const at::Tensor& canvas, const Area& a) {  // of (..., height, width)
  return canvas.narrow(-2, a.row, a.height).narrow(-1, a.column, a.width);
}

}  // namespace

std::vector<Area> plan_windows(int64_t height, int64_t width, const Area& window, int64_t overlap,
                               const Area& given) {
  if (height < window.height || width < window.width) {
    throw Error::usage("--extend", fmt::format("{} x {} is smaller than the model's {} x {}",
                                               height, width, window.height, window.width));
  }
  if (overlap >= std::min(window.height, window.width)) {
    throw Error::usage("--overlap", fmt::format("must be below the model's {}",
                                                std::min(window.height, window.width)));
  }
  std::vector<Area> waiting, order;
  for (const int64_t row : starts(height, window.height, overlap)) {
    for (const int64_t column : starts(width, window.width, overlap))
      waiting.push_back({row, column, window.height, window.width});
  }
  at::Tensor there = at::zeros({height, width}, at::kLong);
  part(there, given).fill_(1);
  while (!waiting.empty()) {
    std::vector<int64_t> held;
    for (const Area& a : waiting) held.push_back(part(there, a).sum().item<int64_t>());
    const auto best = std::max_element(held.begin(), held.end()) - held.begin();
    order.push_back(waiting[static_cast<size_t>(best)]);
    part(there, order.back()).fill_(1);
    waiting.erase(waiting.begin() + best);
  }
  return order;
}

at::Tensor sample_windows(const DiffusionModel& model, const Request& request, int64_t height,
                          int64_t width, const std::vector<Area>& windows,
                          const SamplerOptions& options, SamplerReport* report,
                          const std::function<void(int, const at::Tensor&)>& each_step) {
  const int64_t rows = request.tokens.size(0), mask = model.denoiser().mask();
  const at::Tensor canvas = request.tokens.to(model.device()).clone().view({rows, height, width});
  int steps_before = 0;
  for (size_t w = 0; w < windows.size(); ++w) {
    const at::Tensor here = part(canvas, windows[w]);
    Request window = request;
    window.tokens = here.flatten(1).contiguous();
    window.frozen = window.tokens.ne(mask);
    window.time = -1;
    SamplerOptions o = options;
    o.seed = derive_seed(options.seed, fmt::format("window {}", w).c_str());
    int steps = 0;
    const auto show = [&](int step, const at::Tensor& x) {
      here.copy_(x.view_as(here));
      each_step(steps_before + (steps = step), canvas.flatten(1));
    };
    std::function<void(int, const at::Tensor&)> shown;
    if (each_step) shown = show;
    here.copy_(sample(model, window, o, report, shown).view_as(here));
    steps_before += steps;
  }
  return canvas.flatten(1);
}

}  // namespace vq
