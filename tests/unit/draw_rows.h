// Rows to draw from, by the chain of LibTorch's operators that the kernel replaces, and whether a
// token is one that the chain could have drawn but for roundings.
#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "lib/diffusion/posterior.h"
#include "lib/random.h"
#include "lib/runtime/cuda_plugin.h"
#include "lib/sampling/guidance.h"
#include "lib/sampling/truncation.h"

namespace vq::testing {

// (2, n) uniforms of their own for every number.
inline at::Tensor some_uniforms(uint64_t number, int64_t n) {
  const UniformGrid grid = uniform_grid(number, Purpose::sample, {number}, 0, n);
  return at::cat({grid.first, grid.second});
}

inline void set_transition(RowDrawing& rows, const Transition& q) {
  rows.posterior = true;
  rows.alpha = q.alpha;
  rows.beta = q.beta;
  rows.alpha_bar_s = q.alpha_bar_s;
  rows.beta_bar_s = q.beta_bar_s;
  rows.alpha_bar_t = q.alpha_bar_t;
  rows.beta_bar_t = q.beta_bar_t;
}

// The guess after guidance and truncation, in the precision of `type`.
inline at::Tensor chain_guess(const RowDrawing& rows, at::ScalarType type, double top_p) {
  const auto log_p = [&](const at::Tensor& logits) { return at::log_softmax(logits.to(type), -1); };
  at::Tensor guess = log_p(rows.conditioned);
  if (rows.null.defined()) guess = guide(guess, log_p(rows.null), rows.scale);
  return truncate(guess, {.temperature = rows.temperature, .top_p = top_p, .top_k = rows.top_k});
}

inline at::Tensor chain_draw(const RowDrawing& rows, const at::Tensor& guess,
                             const at::Tensor& first, const at::Tensor& second) {
  if (!rows.posterior) return draw_tokens(guess, second);
  Transition q{};
  q.alpha = rows.alpha;
  q.beta = rows.beta;
  q.alpha_bar_s = rows.alpha_bar_s;
  q.beta_bar_s = rows.beta_bar_s;
  q.alpha_bar_t = rows.alpha_bar_t;
  q.beta_bar_t = rows.beta_bar_t;
  return draw_posterior(q, guess, rows.x_t, first, second);
}

// The chain's token rises with the second uniform, so a token is right up to rounding when it lies
// between those of uniforms a little below and above; the first one may likewise decide either way,
// and top-p may end a token earlier or later. Returns the share of rows where only one token is
// right.
inline double expect_drawn(const RowDrawing& rows, const at::Tensor& tokens,
                           const std::string& what) {
  constexpr double about = 1e-5;
  const at::Tensor drawn = tokens.cpu();
  const int64_t n = drawn.size(0), k = rows.conditioned.size(1);
  at::Tensor right = at::zeros({n}, at::kBool);
  at::Tensor one = at::ones({n}, at::kBool), any;
  std::vector<double> limits = {rows.top_p};
  if (rows.top_p < 1) limits = {rows.top_p, rows.top_p * (1 - about), rows.top_p * (1 + about)};
  for (const double top_p : limits) {
    const at::Tensor guess = chain_guess(rows, at::kDouble, top_p);
    for (const double off : {-about, about}) {
      const at::Tensor first = rows.first.defined() ? rows.first + off : rows.first;
      const at::Tensor low = chain_draw(rows, guess, first, (rows.second - about).clamp_min(0));
      const at::Tensor high = chain_draw(rows, guess, first, (rows.second + about).clamp_max(1));
      right.logical_or_(drawn.ge(low).logical_and_(drawn.le(high)));
      if (!any.defined()) any = low;
      one.logical_and_(low.eq(high)).logical_and_(low.eq(any));
    }
  }
  EXPECT_TRUE(drawn.ge(0).logical_and_(drawn.lt(k)).all().item<bool>()) << what;
  EXPECT_TRUE(right.all().item<bool>())
      << what << ": rows " << right.logical_not().nonzero().squeeze(1).slice(0, 0, 8);
  return one.to(at::kDouble).mean().item<double>();
}

}  // namespace vq::testing
