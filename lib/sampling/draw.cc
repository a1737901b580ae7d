#include "lib/sampling/draw.h"

#include <ATen/ATen.h>

#include "lib/diffusion/posterior.h"

namespace vq {
namespace {

RowDrawing drawing(const Guess::Both& logits, const Truncation& truncation,
                   const at::Tensor& second) {
  RowDrawing rows;
  rows.conditioned = logits.conditioned, rows.null = logits.null, rows.scale = logits.scale;
  rows.temperature = truncation.temperature;
  rows.top_p = truncation.top_p, rows.top_k = truncation.top_k;
  rows.second = second;
  return rows;
}

at::Tensor probabilities(const Guess::Both& logits, const Truncation& truncation) {
  return truncate(logits.normalised().guided(), truncation);
}

}  // namespace

at::Tensor draw_guess(const Guess::Both& logits, const Truncation& truncation,
                      const at::Tensor& uniforms, const CudaPlugin* plugin) {
  if (plugin != nullptr) return plugin->draw(drawing(logits, truncation, uniforms));
  return draw_tokens(probabilities(logits, truncation), uniforms);
}

at::Tensor draw_change(const Guess::Both& logits, const Truncation& truncation, const Transition& q,
                       const at::Tensor& x_t, const at::Tensor& first, const at::Tensor& second,
                       const CudaPlugin* plugin) {
  if (plugin == nullptr)
    return draw_posterior(q, probabilities(logits, truncation), x_t, first, second);
  RowDrawing rows = drawing(logits, truncation, second);
  rows.posterior = true;
  rows.alpha = q.alpha, rows.beta = q.beta;
  rows.alpha_bar_s = q.alpha_bar_s, rows.beta_bar_s = q.beta_bar_s;
  rows.alpha_bar_t = q.alpha_bar_t, rows.beta_bar_t = q.beta_bar_t;
  rows.x_t = x_t, rows.first = first;
  return plugin->draw(rows);
}

}  // namespace vq
