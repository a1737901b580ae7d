// Discrete classifier-free guidance: a conditioned and an unconditioned guess -> a sharper guess
// (paper Eq. 6, 7).
//
//   log p  =  log p(x_0) + W (log p(x_0 | y) - log p(x_0)),  renormalised
//
// log_conditioned, log_null  (N, K)   rows normalised;  result (N, K), rows normalised.
// W is the ecosystem's scale: W = s + 1 with the paper's s. W = 1 is the conditioned guess itself.
// Applied to the guess of x_0, as the paper's remark (1) on Eq. 7 and the released code do.
#pragma once

#include <ATen/core/Tensor.h>

namespace vq {

at::Tensor guide(const at::Tensor& log_conditioned, const at::Tensor& log_null, double scale);

}  // namespace vq
