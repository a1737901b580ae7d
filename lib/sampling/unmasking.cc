// Orders in which a number of [mask] that is known beforehand becomes final in each step:
// Algorithms 1 and 2 of the paper, MaskGIT's confidence, and the low-discrepancy order. The time
// shown to the network is the one whose gamma_bar is nearest to the grid's share of masks (paper
// section 3.2).

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "lib/diffusion/posterior.h"
#include "lib/sampling/halton.h"
#include "lib/sampling/run.h"

namespace vq {
namespace {

at::Tensor gumbel(const at::Tensor& uniforms) { return -(-uniforms.log()).log(); }

// How many of its first masks a grid keeps, step by step.
class Plan {
 public:
  Plan(const SamplingRun& run, const std::vector<int64_t>& masks)
      : per_step_(run.options.tokens_per_step) {
    if (per_step_ > 0) {
      const int64_t most = *std::max_element(masks.begin(), masks.end());
      steps_ = static_cast<int>((most + per_step_ - 1) / per_step_);
      return;
    }
    const std::vector<double> times = run.times();
    const Schedule& schedule = run.model.schedule();
    for (const double t : times)
      shares_.push_back(schedule.gamma_bar(t) / schedule.gamma_bar(times[0]));
    steps_ = static_cast<int>(times.size()) - 1;
  }

  int steps() const { return steps_; }

  int64_t left(int64_t masks, int step) const {  // after `step` steps
    if (per_step_ > 0) return std::max<int64_t>(0, masks - per_step_ * step);
    return std::llround(static_cast<double>(masks) * shares_[static_cast<size_t>(step)]);
  }

 private:
  int64_t per_step_;
  int steps_ = 0;
  std::vector<double> shares_;
};

std::vector<int64_t> counts_of(const at::Tensor& masked) {
  const at::Tensor counts = masked.sum(1).to(at::kCPU).contiguous();
  return {counts.data_ptr<int64_t>(), counts.data_ptr<int64_t>() + counts.numel()};
}

class Unmasking {
 public:
  explicit Unmasking(SamplingRun& run) : run_(run), first_masks_(counts_of(run.masked())) {
    if (run.options.order != Order::halton) return;
    const auto& sizes = run.model.config().denoiser;
    const std::vector<int64_t> cells = halton_order(sizes.grid_height, sizes.grid_width);
    std::vector<double> score(cells.size());
    for (size_t i = 0; i < cells.size(); ++i) score[cells[i]] = -static_cast<double>(i);
    halton_ = at::tensor(score, at::kDouble).to(run.x.device());
  }

  void operator()() {
    const Plan plan(run_, first_masks_);
    for (int i = 0; i < plan.steps(); ++i) {
      std::vector<int64_t> reveal;
      std::vector<double> noise_left;  // share of the first masks that stay
      for (const int64_t masks : first_masks_) {
        reveal.push_back(plan.left(masks, i) - plan.left(masks, i + 1));
        noise_left.push_back(static_cast<double>(plan.left(masks, i + 1)) /
                             static_cast<double>(std::max<int64_t>(1, masks)));
      }
      const at::Tensor n = at::tensor(reveal, at::kLong).to(run_.x.device());
      if (n.any().item<bool>()) step(i, n, at::tensor(noise_left, at::kDouble));
      run_.end_step(i);
    }
  }

 private:
  void step(int i, const at::Tensor& n, const at::Tensor& noise_left) {
    // Rows with nothing to reveal do not run.
    const at::Tensor candidates = run_.masked().logical_and(n.gt(0).unsqueeze(1));
    const at::Tensor uniforms = run_.noise(Purpose::sample, i).second;
    const at::Tensor order_noise = run_.noise(Purpose::order, i).first;
    switch (run_.options.order) {
      case Order::purity:
        return by_purity(candidates, n, order_noise, uniforms);
      case Order::confidence:
        return by_confidence(candidates, n, order_noise, uniforms,
                             noise_left.to(uniforms.device()));
      default:
        return beforehand(
            candidates, n,
            run_.options.order == Order::halton ? halton_.expand_as(order_noise) : order_noise,
            uniforms);
    }
  }

  std::vector<double> shown_times() const {
    std::vector<double> times;
    const auto masks = counts_of(run_.x.eq(run_.mask()));
    for (const int64_t count : masks) {
      const double share = static_cast<double>(count) / static_cast<double>(run_.length());
      times.push_back(std::max(1, run_.model.schedule().time_of_mask_share(share)));
    }
    return times;
  }

  at::Tensor log_p(const at::Tensor& chosen) const {
    return run_.guess.log_p(run_.x, shown_times(), chosen);
  }

  // Which positions is known without the network.
  void beforehand(const at::Tensor& candidates, const at::Tensor& n, const at::Tensor& score,
                  const at::Tensor& uniforms) {
    const at::Tensor chosen = highest(score, candidates, n).flatten().nonzero().squeeze(1);
    const at::Tensor p = truncate(log_p(chosen), run_.options.truncation);
    run_.put(chosen, draw_tokens(p, uniforms.flatten().index_select(0, chosen)));
  }

  // Scores of the candidates, one each, back in the grid.
  at::Tensor grid_of(const at::Tensor& candidates, const at::Tensor& each) const {
    return at::zeros(candidates.sizes(), each.options()).masked_scatter(candidates, each);
  }

  void by_purity(const at::Tensor& candidates, const at::Tensor& n, const at::Tensor& order_noise,
                 const at::Tensor& uniforms) {
    const at::Tensor all = candidates.flatten().nonzero().squeeze(1);
    const at::Tensor log_each = log_p(all).to(at::kDouble);
    at::Tensor purity = log_each.amax(1).exp();  // Eq. 8
    // The highest of log weight + Gumbel noise, n times: drawing without replacement by weight. A
    // common factor changes nothing here.
    const at::Tensor score = grid_of(candidates, purity.log()) + gumbel(order_noise);
    const at::Tensor picked = highest(score, candidates, n);
    if (run_.options.purity_relative) {
      const at::Tensor most = grid_of(candidates, purity).amax(1, true).expand_as(candidates);
      purity = purity / most.flatten().index_select(0, all);
    }
    const at::Tensor which = picked.flatten().index_select(0, all).nonzero().squeeze(1);
    const at::Tensor chosen = all.index_select(0, which);
    const at::Tensor p = truncate(log_each.index_select(0, which), run_.options.truncation);
    const at::Tensor power = 1 + run_.options.purity_weight * purity.index_select(0, which);
    // Eq. 11; relative to the largest, so that high powers do not vanish.
    const at::Tensor sharp = (p / p.amax(1, true)).pow(power.unsqueeze(1));
    run_.put(chosen, draw_tokens(sharp, uniforms.flatten().index_select(0, chosen)));
  }

  void by_confidence(const at::Tensor& candidates, const at::Tensor& n,
                     const at::Tensor& order_noise, const at::Tensor& uniforms,
                     const at::Tensor& noise_left) {
    const at::Tensor all = candidates.flatten().nonzero().squeeze(1);
    const at::Tensor log_each = log_p(all);
    const at::Tensor p = truncate(log_each, run_.options.truncation);
    const at::Tensor drawn = draw_tokens(p, uniforms.flatten().index_select(0, all));
    const at::Tensor belief = log_each.gather(1, drawn.unsqueeze(1)).squeeze(1).to(at::kDouble);
    const at::Tensor noise =
        gumbel(order_noise) * (run_.options.confidence_noise * noise_left).unsqueeze(1);
    const at::Tensor picked = highest(grid_of(candidates, belief) + noise, candidates, n);
    const at::Tensor which = picked.flatten().index_select(0, all).nonzero().squeeze(1);
    run_.put(all.index_select(0, which), drawn.index_select(0, which));
  }

  SamplingRun& run_;
  std::vector<int64_t> first_masks_;
  at::Tensor halton_;
};

}  // namespace

void sample_by_count(SamplingRun& run) { Unmasking{run}(); }

}  // namespace vq
