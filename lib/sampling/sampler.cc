#include "lib/sampling/sampler.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "lib/diffusion/posterior.h"
#include "lib/random.h"
#include "lib/sampling/guidance.h"

namespace vq {
namespace {

// The condition's features, computed once a run; with guidance the null's rows follow.
class Guess {
 public:
  Guess(const DiffusionModel& model, const at::Tensor& prepared, const SamplerOptions& options)
      : model_(model), options_(options) {
    guided_ = options.guidance != 1 && model.condition().config().kind != ConditionKind::none;
    features_ = model.condition()(prepared.to(model.device()));
    if (guided_) features_ = join(features_, model.condition().null(prepared.size(0)));
  }

  // Probabilities of x_0 at the chosen positions (numbers into the flattened grid): (N, K).
  at::Tensor operator()(const at::Tensor& x_t, double t, const at::Tensor& chosen) const {
    const int64_t rows = x_t.size(0) * (guided_ ? 2 : 1);
    const at::Tensor table_row = at::full({rows}, model_.schedule().table_row(t), x_t.options());
    const at::Tensor tokens = guided_ ? at::cat({x_t, x_t}) : x_t;
    const at::Tensor hidden = model_.denoiser().hidden(tokens, table_row, features_).flatten(0, 1);
    at::Tensor log_p = log_p_at(hidden, chosen);
    if (guided_) log_p = guide(log_p, log_p_at(hidden, chosen + x_t.numel()), options_.guidance);
    return truncate(log_p, options_.truncation);
  }

 private:
  at::Tensor log_p_at(const at::Tensor& hidden, const at::Tensor& chosen) const {
    const at::Tensor logits = model_.denoiser().head(hidden.index_select(0, chosen));
    return at::log_softmax(logits.to(at::kFloat), -1);
  }

  const DiffusionModel& model_;
  const SamplerOptions& options_;
  bool guided_ = false;
  Features features_;
};

}  // namespace

at::Tensor sample(const DiffusionModel& model, const at::Tensor& prepared,
                  const SamplerOptions& options, const std::vector<uint64_t>& records,
                  SamplerReport* report,
                  const std::function<void(int, const at::Tensor&)>& each_step) {
  const at::NoGradGuard no_grad;
  const Schedule& schedule = model.schedule();
  const int64_t mask = model.denoiser().mask();
  const int64_t length = model.config().denoiser.grid_height * model.config().denoiser.grid_width;
  const int steps = options.steps > 0 ? options.steps : schedule.timesteps();
  const std::vector<double> times = schedule.sampling_times(steps);
  const Guess guess(model, prepared, options);

  at::Tensor x = at::full({static_cast<int64_t>(records.size()), length}, mask,
                          at::TensorOptions(at::kLong).device(model.device()));
  for (int i = 0; i < steps; ++i) {
    const double t = times[static_cast<size_t>(i)], s = times[static_cast<size_t>(i) + 1];
    const Transition q = schedule.between(s, t);
    const UniformGrid noise =
        uniform_grid(options.seed, Purpose::sample, records, static_cast<uint32_t>(i), length);
    const at::Tensor first = noise.first.to(model.device()).flatten();
    const at::Tensor second = noise.second.to(model.device()).flatten();

    const at::Tensor flat = x.flatten();
    const at::Tensor chosen = may_change(q, flat, mask, first).nonzero().squeeze(1);
    if (chosen.numel() > 0) {
      const auto at_chosen = [&](const at::Tensor& all) { return all.index_select(0, chosen); };
      const at::Tensor p = guess(x, t, chosen);
      const at::Tensor drawn =
          draw_posterior(q, p, at_chosen(flat), at_chosen(first), at_chosen(second));
      x = flat.index_copy(0, chosen, drawn).view_as(x);
      if (report != nullptr) ++report->network_calls;
    }
    if (each_step) each_step(i + 1, x);
  }
  return x;
}

}  // namespace vq
