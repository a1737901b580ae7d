// Orders in which a number of [mask] that is known beforehand becomes final in each step:
// Algorithms 1 and 2 of the paper, MaskGIT's confidence, and the low-discrepancy order. The time
// shown to the network is the one whose gamma_bar is nearest to the grid's share of masks (paper
// section 3.2).

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "lib/diffusion/posterior.h"
#include "lib/runtime/device.h"
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

at::Tensor cells_of(const at::Tensor& grid, int64_t count) {
  return grid.is_cpu() ? grid.flatten().nonzero().squeeze(1) : cells_by_sorting(grid, count);
}

class Unmasking {
 public:
  explicit Unmasking(SamplingRun& run) : run_(run), first_masks_(run.masks) {
    if (run.options.order != Order::halton) return;
    const auto& sizes = run.model.config().denoiser;
    const std::vector<int64_t> cells = halton_order(sizes.grid_height, sizes.grid_width);
    std::vector<double> score(cells.size());
    for (size_t i = 0; i < cells.size(); ++i) score[cells[i]] = -static_cast<double>(i);
    halton_ = at::tensor(score, at::kDouble);
  }

  void operator()() {
    const Plan plan(run_, first_masks_);
    for (int i = 0; i < plan.steps(); ++i) {
      Reveal reveal;
      for (const int64_t masks : first_masks_) {
        const int64_t left = plan.left(masks, i + 1), count = plan.left(masks, i) - left;
        reveal.count.push_back(count), reveal.all += count;
        reveal.noise_left.push_back(static_cast<double>(left) /
                                    static_cast<double>(std::max<int64_t>(1, masks)));
      }
      if (reveal.all > 0) step(i, reveal);
      run_.end_step(i);
    }
  }

 private:
  struct Reveal {
    std::vector<int64_t> count;      // (B) how many become final in each row in this step
    std::vector<double> noise_left;  // (B) share of the first masks that stay
    int64_t all = 0;
  };

  void step(int i, const Reveal& reveal) {
    switch (run_.options.order) {
      case Order::purity:
        by_purity(i, reveal);
        break;
      case Order::confidence:
        by_confidence(i, reveal);
        break;
      default:
        return beforehand(i, reveal);
    }
    for (size_t b = 0; b < reveal.count.size(); ++b) run_.masks[b] -= reveal.count[b];
  }

  std::vector<double> shown_times() const {
    std::vector<double> times;
    for (const int64_t count : run_.masks) {
      const double share = static_cast<double>(count) / static_cast<double>(run_.length());
      times.push_back(std::max(1, run_.model.schedule().time_of_mask_share(share)));
    }
    return times;
  }

  // Which positions is known without the network.
  void beforehand(int i, const Reveal& reveal) {
    const at::Tensor n = at::tensor(reveal.count, at::kLong);
    const at::Tensor score = run_.options.order == Order::halton
                                 ? halton_.expand_as(run_.masked)
                                 : run_.noise(Purpose::order, i).first;
    const at::Tensor picked = highest(score, run_.masked, n);
    const at::Tensor cells = picked.flatten().nonzero().squeeze(1);
    const at::Tensor uniforms = run_.noise(Purpose::sample, i).second.flatten();
    const Question question = run_.about(cells, shown_times());
    run_.put(question.chosen,
             run_.draw(question, upload(uniforms.index_select(0, cells), run_.device())));
    run_.set_masked(run_.masked.logical_and(picked.logical_not()));
  }

  // Every [mask] of the rows in which something becomes final: the network decides which. Where
  // they lie is known to the device alone, how many to the host.
  struct Candidates {
    at::Tensor n;      // (B) how many become final
    at::Tensor grid;   // (B, L) bool
    at::Tensor cells;  // (N) their numbers
    Question question;
    at::Tensor uniforms;     // (B, L) to draw tokens by
    at::Tensor order_noise;  // (B, L) to choose by
  };
  Candidates candidates(int i, const Reveal& reveal) const {
    Candidates c;
    c.n = upload(at::tensor(reveal.count, at::kLong), run_.device());
    c.grid = run_.x.eq(run_.mask()).logical_and(c.n.gt(0).unsqueeze(1));
    std::vector<int64_t> open = run_.masks;
    for (size_t b = 0; b < open.size(); ++b) open[b] = reveal.count[b] > 0 ? open[b] : 0;
    c.cells = cells_of(c.grid, std::accumulate(open.begin(), open.end(), int64_t{0}));
    c.question = run_.about(at::empty({0}, at::kLong), shown_times());
    c.question.chosen = c.cells, c.question.chosen_of_row = open;
    c.uniforms = run_.noise_there(Purpose::sample, i).second;
    c.order_noise = run_.noise_there(Purpose::order, i).first;
    return c;
  }

  // Scores of the candidates, one each, back in the grid.
  at::Tensor grid_of(const Candidates& c, const at::Tensor& each) const {
    return at::zeros({c.grid.numel()}, each.options()).index_copy(0, c.cells, each).view_as(c.grid);
  }

  // Which of the candidates were picked, as numbers into `cells`.
  at::Tensor which_of(const Candidates& c, const at::Tensor& picked, const Reveal& reveal) const {
    return cells_of(picked.flatten().index_select(0, c.cells), reveal.all);
  }

  void by_purity(int i, const Reveal& reveal) {
    const Candidates c = candidates(i, reveal);
    const at::Tensor log_each = run_.guess.log_p(c.question).to(at::kDouble);
    at::Tensor purity = log_each.amax(1).exp();  // Eq. 8
    // The highest of log weight + Gumbel noise, n times: drawing without replacement by weight. A
    // common factor changes nothing here.
    const at::Tensor score = grid_of(c, purity.log()) + gumbel(c.order_noise);
    const at::Tensor picked = highest(score, c.grid, c.n);
    if (run_.options.purity_relative) {
      const at::Tensor most = grid_of(c, purity).amax(1, true).expand_as(c.grid);
      purity = purity / most.flatten().index_select(0, c.cells);
    }
    const at::Tensor which = which_of(c, picked, reveal);
    const at::Tensor chosen = c.cells.index_select(0, which);
    const at::Tensor p = truncate(log_each.index_select(0, which), run_.options.truncation);
    const at::Tensor power = 1 + run_.options.purity_weight * purity.index_select(0, which);
    // Eq. 11; relative to the largest, so that high powers do not vanish.
    const at::Tensor sharp = (p / p.amax(1, true)).pow(power.unsqueeze(1));
    run_.put(chosen, draw_tokens(sharp, c.uniforms.flatten().index_select(0, chosen)));
  }

  void by_confidence(int i, const Reveal& reveal) {
    const Candidates c = candidates(i, reveal);
    const at::Tensor log_each = run_.guess.log_p(c.question);
    const at::Tensor p = truncate(log_each, run_.options.truncation);
    const at::Tensor drawn = draw_tokens(p, c.uniforms.flatten().index_select(0, c.cells));
    const at::Tensor belief = log_each.gather(1, drawn.unsqueeze(1)).squeeze(1).to(at::kDouble);
    const at::Tensor left = upload(at::tensor(reveal.noise_left, at::kDouble), run_.device());
    const at::Tensor noise =
        gumbel(c.order_noise) * (run_.options.confidence_noise * left).unsqueeze(1);
    const at::Tensor picked = highest(grid_of(c, belief) + noise, c.grid, c.n);
    const at::Tensor which = which_of(c, picked, reveal);
    run_.put(c.cells.index_select(0, which), drawn.index_select(0, which));
  }

  SamplingRun& run_;
  std::vector<int64_t> first_masks_;
  at::Tensor halton_;  // (L)
};

}  // namespace

at::Tensor cells_by_sorting(const at::Tensor& grid, int64_t count) {
  return at::argsort(grid.flatten().logical_not().to(at::kByte), /*stable=*/true)
      .narrow(0, 0, count);
}

void sample_by_count(SamplingRun& run) { Unmasking{run}(); }

}  // namespace vq
