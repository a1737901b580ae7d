// One step back: what x_t and a guess of x_0 say about x_s, s < t (paper Eq. 3 and 5).
//
//   log_x0  (N, K)    log p(x_0 | x_t), rows normalised, any float type
//   x_t     (N)       int64 tokens 0..K-1, and K for [mask]
//   result  (N, K+1)  log p(x_s | x_t) = log sum over x_0 of q(x_s | x_t, x_0) p(x_0 | x_t)
//
// With a = alpha_{t|s}, b = beta_{t|s}, c = gamma_{t|s}, A_s, B_s, C_s the cumulated alpha, beta,
// gamma and p the guess:
//   x_t = [mask]   P(stay) = C_s / C_t,  P(x_s = j) = c (A_s p_j + B_s) / C_t
//   x_t = i        P(x_s = j) = (a [i = j] + b) (A_s w_j + B_s W),
//                  w_j = p_j / (A_t [i = j] + B_t),  W = sum of w
// Where nothing is ever replaced (B_t = 0) a token that is there is right, and stays.
//
// Laws: rows sum to one; a masked position stays with probability C_s / C_t whatever log_x0 says
// (Lemma 1); the rest equals the product of the transition matrices. (posterior_test.cc)
#pragma once

#include <ATen/core/Tensor.h>

#include "lib/diffusion/schedule.h"

namespace vq {

at::Tensor log_posterior(const Transition& q, const at::Tensor& log_x0, const at::Tensor& x_t);

// The largest chance that a position holding a token changes between t and s, whatever the guess:
// reached when the guess gives that token no weight at all. Positions beyond it need no network.
double largest_change(const Transition& q);

// x_s drawn from the above with two uniforms a position, without forming the (N, K+1) table:
// the first says whether the position changes, the second what to.
//
//   may_change(q, masked, first)   (N) bool, positions that can change, of whether they are [mask];
//   for all others x_s = x_t. Neither the network nor the tokens are needed for it
//   draw(q, p, x_t, first, second)   for N such positions; p (N, K) double or float, first and
//   second (N) double
at::Tensor may_change(const Transition& q, const at::Tensor& masked, const at::Tensor& first);
at::Tensor draw_posterior(const Transition& q, const at::Tensor& p, const at::Tensor& x_t,
                          const at::Tensor& first, const at::Tensor& second);

// One token a row from unnormalised weights (N, K) by the inverse distribution, one uniform in (0,
// 1) each, summed in double: a token of share 1e-9 comes out once in 1e9 draws.
at::Tensor draw_tokens(const at::Tensor& weights, const at::Tensor& uniforms);

}  // namespace vq
