#include "lib/diffusion/posterior.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

namespace vq {
namespace {

// (N, K): A_s w_j + B_s W for positions that hold a token; row sums of the guess are one.
at::Tensor mixture(const Transition& q, const at::Tensor& p, const at::Tensor& token) {
  const at::Tensor here = token.unsqueeze(1);
  const at::Tensor p_here = p.gather(1, here);
  at::Tensor w = p / q.beta_bar_t;
  w = w.scatter(1, here, p_here / (q.alpha_bar_t + q.beta_bar_t));
  const at::Tensor all = w.sum(1, true);
  return q.alpha_bar_s * w + q.beta_bar_s * all;
}

// Probability that a position holding a token keeps it, given the guess's weight on it.
at::Tensor keep_probability(const Transition& q, const at::Tensor& p_here) {
  const at::Tensor w_here = p_here / (q.alpha_bar_t + q.beta_bar_t);
  const at::Tensor all = (1 - p_here) / q.beta_bar_t + w_here;
  return (q.alpha + q.beta) * (q.alpha_bar_s * w_here + q.beta_bar_s * all);
}

at::Tensor of_masked(const Transition& q, const at::Tensor& p) {
  const at::Tensor codes = q.gamma / q.gamma_bar_t * (q.alpha_bar_s * p + q.beta_bar_s);
  const at::Tensor stay = at::full({p.size(0), 1}, q.gamma_bar_s / q.gamma_bar_t, p.options());
  return at::cat({codes, stay}, 1);
}

at::Tensor of_tokens(const Transition& q, const at::Tensor& p, const at::Tensor& token) {
  const at::Tensor mask_column = at::zeros({p.size(0), 1}, p.options());
  const at::Tensor here = at::one_hot(token, p.size(1)).to(p.scalar_type());
  if (q.beta_bar_t <= 0) return at::cat({here, mask_column}, 1);
  const at::Tensor codes = (q.alpha * here + q.beta) * mixture(q, p, token);
  return at::cat({codes, mask_column}, 1);
}

}  // namespace

at::Tensor log_posterior(const Transition& q, const at::Tensor& log_x0, const at::Tensor& x_t) {
  const int64_t k = log_x0.size(1);
  const at::Tensor p = log_x0.exp();
  const at::Tensor masked = x_t.eq(k);
  const at::Tensor token = x_t.masked_fill(masked, 0);
  const at::Tensor both = at::where(masked.unsqueeze(1), of_masked(q, p), of_tokens(q, p, token));
  return both.log();
}

double largest_change(const Transition& q) {
  if (q.beta_bar_t <= 0) return 0;
  // Linear in the guess's weight on the token, so an end decides: none (all elsewhere) or all of
  // it.
  const double none = (q.alpha + q.beta) * q.beta_bar_s / q.beta_bar_t;
  const double all =
      (q.alpha + q.beta) * (q.alpha_bar_s + q.beta_bar_s) / (q.alpha_bar_t + q.beta_bar_t);
  return std::clamp(1 - std::min(none, all), 0.0, 1.0);
}

at::Tensor may_change(const Transition& q, const at::Tensor& x_t, int64_t mask,
                      const at::Tensor& first) {
  const double leave = 1 - q.gamma_bar_s / q.gamma_bar_t;
  const at::Tensor of_mask = first < leave;
  const at::Tensor of_token = first < largest_change(q);
  return at::where(x_t.eq(mask), of_mask, of_token);
}

at::Tensor draw_posterior(const Transition& q, const at::Tensor& p, const at::Tensor& x_t,
                          const at::Tensor& first, const at::Tensor& second) {
  const int64_t k = p.size(1);
  const at::Tensor masked = x_t.eq(k);
  const at::Tensor token = x_t.masked_fill(masked, 0);
  const at::Tensor exact = p.to(at::kDouble);

  const at::Tensor of_mask =
      q.alpha_bar_s * exact + q.beta_bar_s;  // it leaves [mask]: may_change said so
  if (q.beta_bar_t <= 0) return at::where(masked, draw_tokens(of_mask, second), x_t);

  const at::Tensor here = token.unsqueeze(1);
  const at::Tensor p_here = exact.gather(1, here).squeeze(1);
  const at::Tensor keeps = first >= 1 - keep_probability(q, p_here);
  // It changes, so to another one: the token that is there has no weight.
  const at::Tensor of_token = mixture(q, exact, token).scatter(1, here, 0.0);
  const at::Tensor drawn = draw_tokens(at::where(masked.unsqueeze(1), of_mask, of_token), second);
  return at::where(masked, drawn, at::where(keeps, x_t, drawn));
}

at::Tensor draw_tokens(const at::Tensor& weights, const at::Tensor& uniforms) {
  const at::Tensor sums = weights.to(at::kDouble).cumsum(1);
  const int64_t k = weights.size(1);
  const at::Tensor target = uniforms.unsqueeze(1) * sums.narrow(1, k - 1, 1);
  // The first sum above the target: a token without weight never comes out.
  return at::searchsorted(sums, target, /*out_int32=*/false, /*right=*/true)
      .squeeze(1)
      .clamp_max(k - 1);
}

}  // namespace vq
