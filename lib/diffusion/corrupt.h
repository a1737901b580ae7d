// Tokens -> noisier tokens: the forward process q(x_t | x_0), one draw a position (paper Eq. 1-4).
//
//   x_0     (B, L) int64, 0..K-1
//   times   B times t: 1..T, or real, 0 < t <= T
//   noise   two uniforms a position (lib/random.h): the first decides keep, replace or mask, the
//           second which token
//   result  (B, L) int64, 0..K; K is [mask]
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "lib/diffusion/schedule.h"
#include "lib/random.h"

namespace vq {

at::Tensor corrupt(const Schedule& schedule, const at::Tensor& x_0, const std::vector<int>& times,
                   const UniformGrid& noise);

// The same without replacement: a token is masked with probability gamma_bar(t), or stays.
at::Tensor mask_tokens(const Schedule& schedule, const at::Tensor& x_0,
                       const std::vector<double>& times, const UniformGrid& noise);

}  // namespace vq
