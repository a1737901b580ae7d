// ReMDM (Wang et al. 2025, "Remasking discrete diffusion models with inference-time scaling"):
// tokens may go back to [mask], so early mistakes can be mended. With A = 1 - gamma_bar, from t to
// s:
//
//   a token       goes back with sigma, else stays            sigma <= min(1, (1 - A_s) / A_t)
//   [mask]        leaves with (A_s - (1 - sigma) A_t) / (1 - A_t), and takes a token of the guess
//
// which keeps the share of masks at every time that of the process without it. In the last step
// (1 - A_s) is zero: nothing goes back.

#include <ATen/ATen.h>

#include <algorithm>
#include <vector>

#include "formats/error.h"
#include "lib/diffusion/posterior.h"
#include "lib/runtime/device.h"
#include "lib/sampling/run.h"

namespace vq {
namespace {

double most_back(double a_s, double a_t) { return a_t > 0 ? std::min(1.0, (1 - a_s) / a_t) : 1.0; }

}  // namespace

void sample_remasking(SamplingRun& run) {
  const SamplerOptions& options = run.options;
  const bool by_confidence = options.remask_rule == "confidence";
  if (!by_confidence && options.remask_rule != "cap" && options.remask_rule != "rescale") {
    throw Error::usage("--remask-rule",
                       "'" + options.remask_rule + "' is not one of cap, rescale, confidence");
  }
  const std::vector<double> times = run.times();
  const at::Tensor open = run.frozen.logical_not();
  // The probability of each token when it was drawn; what was there at the start is sure.
  at::Tensor belief = at::ones(run.x.sizes(), run.x.options().dtype(at::kDouble));

  for (size_t i = 0; i + 1 < times.size(); ++i) {
    const double a_t = 1 - run.model.schedule().gamma_bar(times[i]);
    const double a_s = 1 - run.model.schedule().gamma_bar(times[i + 1]);
    const double most = most_back(a_s, a_t);
    const double sigma = options.remask_rule == "cap" ? std::min(options.remask_strength, most)
                                                      : options.remask_strength * most;
    const at::Tensor tokens = open.logical_and(run.masked.logical_not());
    at::Tensor back = at::full(tokens.sizes(), sigma, at::kDouble);
    if (by_confidence) {  // the one rule for which the device is asked
      const at::Tensor weight = (-belief).exp().to(at::kCPU).masked_fill(tokens.logical_not(), 0.0);
      back = weight / weight.sum(1, true).clamp_min(1e-300) * sigma;
    }
    // In the confidence rule a [mask] has no share of sigma.
    const double leave = (a_s - (1 - (by_confidence ? 0 : sigma)) * a_t) / (1 - a_t);

    const UniformGrid noise = run.noise(Purpose::sample, static_cast<int>(i));
    const at::Tensor leaves = run.masked.logical_and(noise.first.lt(leave));
    const at::Tensor returns = tokens.logical_and(noise.first.lt(back));
    const at::Tensor cells = leaves.flatten().nonzero().squeeze(1);
    if (cells.numel() > 0) {
      const Question question = run.about(cells, times[i]);
      const at::Tensor uniforms =
          upload(noise.second.flatten().index_select(0, cells), run.device());
      if (by_confidence) {
        std::vector<at::Tensor> drawn, chances;
        run.guess.each_block(question, [&](int64_t first, const Guess::Both& logits) {
          const at::Tensor p = truncate(logits.normalised().guided(), options.truncation);
          drawn.push_back(draw_tokens(p, uniforms.narrow(0, first, p.size(0))));
          chances.push_back(p.gather(1, drawn.back().unsqueeze(1)).squeeze(1).to(at::kDouble));
        });
        run.put(question.chosen, at::cat(drawn));
        belief = belief.flatten().index_copy(0, question.chosen, at::cat(chances)).view_as(belief);
      } else {
        run.put(question.chosen, run.draw(question, uniforms));
      }
    }
    run.x = run.x.masked_fill(upload(returns, run.device()), run.mask());
    run.set_masked(run.masked.logical_and(leaves.logical_not()).logical_or(returns));
    run.end_step(static_cast<int>(i));
  }
}

}  // namespace vq
