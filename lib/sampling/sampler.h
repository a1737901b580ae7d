// Noise -> tokens: from all [mask] at time T back to tokens at time 0.
//
// sample() is a pure function of (model, conditions, options, record numbers): nothing sticks to
// the model, and record i comes out the same whatever shares its batch (CPU, fp32).
//
// Each step from t to s draws first which positions can change at all, which needs no network
// (Lemma 1, and a bound for those that hold a token), asks the network's head for those rows only,
// and accepts with the rest of the probability. A step in which nothing can change calls no
// network. The result is distributed exactly as Eq. 5 says.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "lib/diffusion/model.h"
#include "lib/sampling/truncation.h"

namespace vq {

struct SamplerOptions {
  int steps = 0;        // 0: as many as the model was trained with
  double guidance = 1;  // W; 1 is off
  Truncation truncation;
  uint64_t seed = 0;
};

struct SamplerReport {
  int64_t network_calls =
      0;  // evaluations of the network for one batch; guidance makes it two branches in one call
};

// prepared (B, S) int64, as Condition::prepare_* gives it; records: B numbers that select the
// noise. `each_step`, if any, sees the grid after every step (step number from 1, tokens (B, L)).
at::Tensor sample(const DiffusionModel& model, const at::Tensor& prepared,
                  const SamplerOptions& options, const std::vector<uint64_t>& records,
                  SamplerReport* report = nullptr,
                  const std::function<void(int, const at::Tensor&)>& each_step = {});

}  // namespace vq
