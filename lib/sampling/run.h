// What every order of sampling works on; internal to lib/sampling.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

#include "lib/random.h"
#include "lib/sampling/sampler.h"

namespace vq {

struct SamplingRun {
  const DiffusionModel& model;
  const SamplerOptions& options;
  const std::vector<uint64_t>& records;
  const std::function<void(int, const at::Tensor&)>& each_step;
  Guess guess;
  at::Tensor x;       // (B, L), changes
  at::Tensor frozen;  // (B, L) bool
  double from;        // time at the start

  int64_t rows() const { return x.size(0); }
  int64_t length() const { return x.size(1); }
  int64_t mask() const { return model.denoiser().mask(); }
  at::Tensor masked() const;  // (B, L) bool: [mask] that may change

  // Times from = t_0 > ... > t_n = 0: this run's share of the steps.
  std::vector<double> times() const;
  // Both uniforms of every position for one step, (B, L) on the model's device.
  UniformGrid noise(Purpose purpose, int step) const;
  // Tokens (N) for the chosen positions from the guessed, truncated probabilities (rows, K), all at
  // time t, block by block: draw(first, p) for chosen[first] and those behind it.
  using Draw = std::function<at::Tensor(int64_t first, const at::Tensor& p)>;
  at::Tensor drawn(double t, const at::Tensor& chosen, const Draw& draw) const;
  void put(const at::Tensor& chosen, const at::Tensor& tokens);  // numbers into the flattened x
  void end_step(int step) const;                                 // step from 0
};

void sample_ancestral(SamplingRun& run);      // ancestral.cc
void sample_by_count(SamplingRun& run);       // unmasking.cc: random, purity, confidence, halton
void sample_first_hitting(SamplingRun& run);  // first_hitting.cc
void sample_remasking(SamplingRun& run);      // remasking.cc

// (B, L) bool: the n[b] candidates of each row with the highest scores; equal ones by position.
at::Tensor highest(const at::Tensor& scores, const at::Tensor& candidates, const at::Tensor& n);

}  // namespace vq
