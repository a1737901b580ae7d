// Eq. 5, for any two times.
//
// Each step from t to s draws first which positions can change at all, which needs no network
// (Lemma 1, and a bound for those that hold a token), asks the network's head for those rows only,
// and accepts with the rest of the probability. A step in which nothing can change calls no
// network. The result is distributed exactly as Eq. 5 says, the last step included: with a schedule
// that never replaces, what is revealed stays; with one that does, it may still be redrawn.

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "lib/diffusion/posterior.h"
#include "lib/runtime/device.h"
#include "lib/sampling/run.h"

namespace vq {
namespace {

// Guidance of p(x_s | x_t) itself. It moves the chance to leave [mask] too, so nothing can be
// thinned: `cells` are all that are not frozen, and which of them are [mask] after it is to be read
// back.
void draw_guided_posterior(SamplingRun& run, const Transition& q, double t, const at::Tensor& cells,
                           const at::Tensor& uniforms) {
  const Question question = run.about(cells, t);
  const Guess::Both guess = run.guess.both(question);
  const at::Tensor x_t = run.x.flatten().index_select(0, question.chosen);
  at::Tensor log_p = log_posterior(q, guess.conditioned.to(at::kDouble), x_t);
  if (guess.null.defined()) {
    log_p = guide(log_p, log_posterior(q, guess.null.to(at::kDouble), x_t), guess.scale);
  }
  const at::Tensor u = upload(uniforms.flatten().index_select(0, cells), run.device());
  run.put(question.chosen, draw_tokens(log_p.exp(), u));
  run.read_masked();
}

struct Hop {
  double shown;  // time shown to the network
  double s, t;   // the step of the process
};

std::vector<Hop> hops_of(const SamplingRun& run) {
  std::vector<Hop> hops;
  if (!run.options.one_step_posterior) {
    const std::vector<double> times = run.times();
    for (size_t i = 0; i + 1 < times.size(); ++i)
      hops.push_back({times[i], times[i + 1], times[i]});
    return hops;
  }
  // Every k-th step from T on, and the first one in any case; near the end, where k steps do not
  // fit, the step at hand.
  const int last = run.model.schedule().timesteps();
  const int wanted = run.options.steps > 0 ? run.options.steps : last;
  const int k = std::max(1, static_cast<int>(std::lround(static_cast<double>(last) / wanted)));
  for (int t = last; t >= 1; t -= k) {
    const int end = t > k ? t - k + 1 : t;
    hops.push_back({static_cast<double>(t), end - 1.0, static_cast<double>(end)});
  }
  if (hops.back().shown != 1) hops.push_back({1, 0, 1});
  return hops;
}

}  // namespace

void sample_ancestral(SamplingRun& run) {
  const std::vector<Hop> hops = hops_of(run);
  const Guidance& guidance = run.options.guidance;
  const bool on_posterior = guidance.on_posterior && !guidance.off();
  const at::Tensor open = run.frozen.logical_not();
  for (size_t i = 0; i < hops.size(); ++i) {
    const Transition q = run.model.schedule().between(hops[i].s, hops[i].t);
    const UniformGrid noise = run.noise(Purpose::sample, static_cast<int>(i));
    const at::Tensor changeable =
        on_posterior ? open : open.logical_and(may_change(q, run.masked, noise.first));
    const at::Tensor cells = changeable.flatten().nonzero().squeeze(1);
    const auto there = [&](const at::Tensor& uniforms) {
      return upload(uniforms.flatten().index_select(0, cells), run.device());
    };
    if (cells.numel() > 0 && on_posterior) {
      draw_guided_posterior(run, q, hops[i].shown, cells, noise.second);
    } else if (cells.numel() > 0) {
      const Question question = run.about(cells, hops[i].shown);
      run.put(question.chosen,
              run.draw_changes(question, q, there(noise.first), there(noise.second)));
      run.set_masked(run.masked.logical_and(changeable.logical_not()));
    }
    run.end_step(static_cast<int>(i));
  }
}

}  // namespace vq
