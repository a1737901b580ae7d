#include "lib/diffusion/posterior.h"

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "lib/runtime/parallel.h"

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
template <typename Number>  // double, or a tensor of them
Number keep_probability(const Transition& q, const Number& p_here) {
  const Number w_here = p_here / (q.alpha_bar_t + q.beta_bar_t);
  const Number all = (1 - p_here) / q.beta_bar_t + w_here;
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

// One token a row by the inverse distribution, in whole tensors: for any device.
at::Tensor draw_by_search(const at::Tensor& weights, const at::Tensor& uniforms) {
  const at::Tensor sums = weights.to(at::kDouble).cumsum(1);
  const int64_t k = weights.size(1);
  const at::Tensor target = uniforms.unsqueeze(1) * sums.narrow(1, k - 1, 1);
  // The first sum above the target: a token without weight never comes out.
  return at::searchsorted(sums, target, /*out_int32=*/false, /*right=*/true)
      .squeeze(1)
      .clamp_max(k - 1);
}

// The same for one row in a loop, many times as fast on a CPU: no (N, K) table of doubles is
// written, and rows that need no draw cost nothing.
class RowDraw {
 public:
  explicit RowDraw(int64_t k) : sums_(static_cast<size_t>(k)) {}

  template <typename Weight>
  int64_t operator()(double uniform, const Weight& weight) {
    double sum = 0;
    int64_t j = 0;
    for (double& upto : sums_) upto = sum += weight(j++);
    const auto found = std::upper_bound(sums_.begin(), sums_.end() - 1, uniform * sum);
    return found - sums_.begin();
  }

 private:
  std::vector<double> sums_;
};

bool fits_rows(const at::Tensor& p) {
  return p.is_cpu() && (p.scalar_type() == at::kFloat || p.scalar_type() == at::kDouble);
}

// (N) from (N, K): token(row, n, draw) for every row n.
template <typename Token>
at::Tensor draw_rows(const at::Tensor& table, const Token& token) {
  const at::Tensor rows = table.contiguous();
  const int64_t k = rows.size(1);
  const at::Tensor result = at::empty({rows.size(0)}, rows.options().dtype(at::kLong));
  int64_t* const out = result.data_ptr<int64_t>();
  AT_DISPATCH_FLOATING_TYPES(rows.scalar_type(), "draw_rows", [&] {
    const scalar_t* const data = rows.const_data_ptr<scalar_t>();
    in_shares(rows.size(0), 1, [&](int64_t begin, int64_t end) {
      RowDraw draw(k);
      for (int64_t n = begin; n < end; ++n) out[n] = token(data + n * k, n, draw);
    });
  });
  return result;
}

at::Tensor draw_posterior_rows(const Transition& q, const at::Tensor& p, const at::Tensor& x_t,
                               const at::Tensor& first, const at::Tensor& second) {
  const int64_t k = p.size(1);
  const at::Tensor tokens = x_t.contiguous(), decide = first.contiguous();
  const at::Tensor choose = second.contiguous();
  const int64_t* const token_of = tokens.const_data_ptr<int64_t>();
  const double* const decide_of = decide.const_data_ptr<double>();
  const double* const choose_of = choose.const_data_ptr<double>();
  return draw_rows(p, [&](auto* row, int64_t n, RowDraw& draw) {
    const int64_t here = token_of[n];
    if (here == k) {  // it leaves [mask]: may_change said so
      return draw(choose_of[n],
                  [&](int64_t j) { return q.alpha_bar_s * double{row[j]} + q.beta_bar_s; });
    }
    if (q.beta_bar_t <= 0) return here;
    const double p_here = row[here];
    if (decide_of[n] >= 1 - keep_probability(q, p_here)) return here;
    // It changes, so to another one: the mixture times B_t, without the token that is there.
    double even = 0;
    if (q.beta_bar_s > 0) {
      even = p_here * q.beta_bar_t / (q.alpha_bar_t + q.beta_bar_t);
      for (int64_t j = 0; j < k; ++j) even += j == here ? 0 : double{row[j]};
      even *= q.beta_bar_s;
    }
    return draw(choose_of[n],
                [&](int64_t j) { return j == here ? 0 : q.alpha_bar_s * double{row[j]} + even; });
  });
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

at::Tensor may_change(const Transition& q, const at::Tensor& masked, const at::Tensor& first) {
  const double leave = 1 - q.gamma_bar_s / q.gamma_bar_t;
  const at::Tensor of_mask = first < leave;
  const at::Tensor of_token = first < largest_change(q);
  return at::where(masked, of_mask, of_token);
}

at::Tensor draw_posterior(const Transition& q, const at::Tensor& p, const at::Tensor& x_t,
                          const at::Tensor& first, const at::Tensor& second) {
  if (fits_rows(p)) return draw_posterior_rows(q, p, x_t, first, second);
  const int64_t k = p.size(1);
  const at::Tensor masked = x_t.eq(k);
  const at::Tensor token = x_t.masked_fill(masked, 0);
  const at::Tensor exact = p.to(at::kDouble);

  const at::Tensor of_mask =
      q.alpha_bar_s * exact + q.beta_bar_s;  // it leaves [mask]: may_change said so
  if (q.beta_bar_t <= 0) return at::where(masked, draw_by_search(of_mask, second), x_t);

  const at::Tensor here = token.unsqueeze(1);
  const at::Tensor p_here = exact.gather(1, here).squeeze(1);
  const at::Tensor keeps = first >= 1 - keep_probability(q, p_here);
  // It changes, so to another one: the token that is there has no weight.
  const at::Tensor of_token = mixture(q, exact, token).scatter(1, here, 0.0);
  const at::Tensor drawn =
      draw_by_search(at::where(masked.unsqueeze(1), of_mask, of_token), second);
  return at::where(masked, drawn, at::where(keeps, x_t, drawn));
}

at::Tensor draw_tokens(const at::Tensor& weights, const at::Tensor& uniforms) {
  if (!fits_rows(weights)) return draw_by_search(weights, uniforms);
  const at::Tensor choose = uniforms.contiguous();
  const double* const choose_of = choose.const_data_ptr<double>();
  return draw_rows(weights, [&](auto* row, int64_t n, RowDraw& draw) {
    return draw(choose_of[n], [row](int64_t j) { return double{row[j]}; });
  });
}

}  // namespace vq
