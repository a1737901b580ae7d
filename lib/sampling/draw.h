// From both guesses' logits to tokens, one draw a row: guidance, truncation, and the inverse
// distribution. On a CUDA device with the plugin that is one kernel, else the functions named here.
//
//   logits       (N, K), conditioned and null, with each row's guidance scale
//   result       (N) int64
//
//   draw_guess   draw_tokens() of the guess, one uniform (N) a row
//   draw_change  draw_posterior() (diffusion/posterior.h) of it, for rows that may_change(): x_t
//   (N),
//                and two uniforms (N) a row
//
// `plugin`: null for the functions.
#pragma once

#include <ATen/core/Tensor.h>

#include "lib/diffusion/schedule.h"
#include "lib/runtime/cuda_plugin.h"
#include "lib/sampling/guess.h"
#include "lib/sampling/truncation.h"

namespace vq {

at::Tensor draw_guess(const Guess::Both& logits, const Truncation& truncation,
                      const at::Tensor& uniforms, const CudaPlugin* plugin);
at::Tensor draw_change(const Guess::Both& logits, const Truncation& truncation, const Transition& q,
                       const at::Tensor& x_t, const at::Tensor& first, const at::Tensor& second,
                       const CudaPlugin* plugin);

}  // namespace vq
