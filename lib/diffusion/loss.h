// What training makes small: the variational bound, term by term, and the auxiliary x_0 term (paper
// section 2; the released code's weights); or the bound of a process that only masks, in continuous
// time.
//
//   log_x0    (B, L, K)  log p(x_0 | x_t), rows normalised
//   x_0, x_t  (B, L)     int64, K is [mask] in x_t
//   times     B          1..T; of masked_loss real, 0 < t <= T
//   pt        B          the probability with which the step was drawn, (t - 1, t]
//
// bound (B, L): KL(q(x_{t-1} | x_t, x_0) || p(x_{t-1} | x_t)) in nats for t > 1, and -log p(x_0 |
// x_1) for t = 1. Computed by index arithmetic: of the true posterior only the columns x_t and x_0
// differ from a constant. auxiliary (B, L): -log p(x_0 | x_t), weighed by 1 + (1 - t/T) when
// adaptive.
//
// masked (B): gamma_bar'(t) / gamma_bar(t) times the sum of -log p(x_0 | x_t) over the positions
// that are [mask], x_t from mask_tokens() (Sahoo et al. 2024, "Simple and effective masked
// diffusion language models"; Shi et al. 2024, "Simplified and generalized masked diffusion").
// gamma_bar' is Schedule::mask_rate, the slope of its straight piece. Positions that hold a token
// are right and cost nothing: the network learns nothing there, so its guess is no use there.
//
// Laws: the bound equals brute force for every term; the mean of `masked` over masks, integrated
// over t from 0 to T, is the limit of the bound without replacement for ever smaller steps, and
// depends on the schedule by gamma_bar(T) alone; in both the mean of `total` without weights and
// auxiliary term is the bound in nats a token, however t is drawn.                  (loss_test.cc)
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "lib/diffusion/schedule.h"

namespace vq {

// (B, L): the terms of the bound, each row of the batch at its own t.
at::Tensor bound_terms(const Schedule& schedule, const at::Tensor& log_x0, const at::Tensor& x_0,
                       const at::Tensor& x_t, const std::vector<int>& times);

struct LossOptions {
  double auxiliary_weight = 5e-4;  // released text models; 1e-3 for classes and none
  bool adaptive = true;            // auxiliary term times 2 - t/T
  double mask_weight = 1;          // of positions that are [mask]
  double token_weight = 1;         // of positions that hold a token
};

struct Loss {
  at::Tensor total;    // scalar: what to differentiate; terms divided by pt, a mean over B and L
  at::Tensor bound;    // (B) sums over positions, nats, without gradient and without weights
  at::Tensor weighed;  // (B) the same with the weights of positions: what the drawing of t goes by
  // (B) mean of -log p(x_0) over masked positions. Where none is: of all positions; of masked_loss
  // not-a-number.
  at::Tensor x0;
  at::Tensor accuracy;  // scalar: share of these positions whose most likely token is right
};

Loss diffusion_loss(const Schedule& schedule, const LossOptions& options, const at::Tensor& log_x0,
                    const at::Tensor& x_0, const at::Tensor& x_t, const std::vector<int>& times,
                    const std::vector<double>& pt);

Loss masked_loss(const Schedule& schedule, const at::Tensor& log_x0, const at::Tensor& x_0,
                 const at::Tensor& x_t, const std::vector<double>& times,
                 const std::vector<double>& pt);

}  // namespace vq
