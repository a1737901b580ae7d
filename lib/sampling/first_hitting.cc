// Each [mask] leaves at a time of its own, known beforehand: under an absorbing process the chance
// to be [mask] still at s is gamma_bar_s / gamma_bar_t whatever the network says (Lemma 1), so
// gamma_bar at the leaving time is even between 0 and its value at the start. Drawing these times
// first and walking from one to the next is ancestral sampling with infinitely many steps, at one
// network call a token (Zheng et al. 2024, "Masked diffusion models are secretly time-agnostic").
// With fewer steps the tokens of a step are drawn together, at the time of the first of them.

#include <ATen/ATen.h>

#include <algorithm>

#include "lib/runtime/device.h"
#include "lib/sampling/run.h"

namespace vq {
namespace {

// The time, 0 to T, where gamma_bar reaches a value: it rises, so halving finds it.
double time_of(const Schedule& schedule, double gamma_bar) {
  double low = 0, high = schedule.timesteps();
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    (schedule.gamma_bar(middle) < gamma_bar ? low : high) = middle;
  }
  return high;
}

}  // namespace

void sample_first_hitting(SamplingRun& run) {
  const SamplerOptions& options = run.options;
  const Schedule& schedule = run.model.schedule();
  const int64_t most = *std::max_element(run.masks.begin(), run.masks.end());
  int64_t together = options.tokens_per_step;
  if (together == 0 && options.steps > 0) {
    const auto steps = static_cast<int64_t>(run.times().size()) - 1;
    together = (run.length() + steps - 1) / steps;  // of the grid, so that records do not depend
  }                                                 // on each other's number of masks
  together = std::max<int64_t>(1, together);

  // Uniforms fall in order; what is not masked comes last and is never reached.
  const at::Tensor level =
      run.noise(Purpose::order, 0).first.masked_fill(run.masked.logical_not(), -1.0);
  const auto [falling, position] = at::sort(level, /*stable=*/true, 1, /*descending=*/true);
  const at::Tensor first_of_row =
      (at::arange(run.rows(), position.options()) * run.length()).unsqueeze(1);

  for (int64_t i = 0; i * together < most; ++i) {
    const int64_t begin = i * together, size = std::min(together, run.length() - begin);
    const at::Tensor levels = falling.narrow(1, begin, size);
    const at::Tensor cells = std::get<0>(
        (position.narrow(1, begin, size) + first_of_row).masked_select(levels.ge(0)).sort());
    const at::Tensor first = levels.select(1, 0).contiguous();
    std::vector<double> times;
    for (int64_t b = 0; b < run.rows(); ++b) {
      const double u = std::max(0.0, first.const_data_ptr<double>()[b]);
      times.push_back(time_of(schedule, u * schedule.gamma_bar(run.from)));
    }
    const at::Tensor uniforms = run.noise(Purpose::sample, static_cast<int>(i)).second.flatten();
    const Question question = run.about(cells, times);
    run.put(question.chosen,
            run.draw(question, upload(uniforms.index_select(0, cells), run.device())));
    run.set_masked(run.masked.flatten().index_fill(0, cells, false).view_as(run.masked));
    run.end_step(static_cast<int>(i));
  }
}

}  // namespace vq
