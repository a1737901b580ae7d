// What every order of sampling works on; internal to lib/sampling.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

#include "lib/diffusion/schedule.h"
#include "lib/random.h"
#include "lib/runtime/cuda_plugin.h"
#include "lib/sampling/sampler.h"

namespace vq {

// The grid lies on the model's device. What decides where a step goes on is known to the host
// without asking for it: which cells are [mask] in most orders, how many there are in all of them.
// So the host does not wait, and a device with a queue always has work in it, but for two ways of
// sampling: remasking by confidence, and guidance of the posterior. (no_reading_back_test.cc)
struct SamplingRun {
  const DiffusionModel& model;
  const SamplerOptions& options;
  const std::vector<uint64_t>& records;
  const std::function<void(int, const at::Tensor&)>& each_step;
  Guess guess;
  at::Tensor x;                     // (B, L) on the device, changes
  at::Tensor frozen;                // (B, L) bool on the host
  double from;                      // time at the start
  at::Tensor masked = {};           // (B, L) bool on the host: [mask]; never frozen
  std::vector<int64_t> masks = {};  // (B) how many
  const CudaPlugin* plugin = nullptr;

  int64_t rows() const { return x.size(0); }
  int64_t length() const { return x.size(1); }
  int64_t mask() const { return model.denoiser().mask(); }
  at::Device device() const { return x.device(); }

  // `masked` and `masks`: read from the device, or as the order knows them to be now.
  void read_masked();
  void set_masked(const at::Tensor& now);

  // Times from = t_0 > ... > t_n = 0: this run's share of the steps.
  std::vector<double> times() const;
  // Both uniforms of every position for one step, (B, L) on the host, or on the device.
  UniformGrid noise(Purpose purpose, int step) const;
  UniformGrid noise_there(Purpose purpose, int step) const;

  // Cells by their numbers in the flattened grid: (N) on the host, ascending; asked at each row's
  // time, or all at one. The question has them on the device.
  Question about(const at::Tensor& cells, const std::vector<double>& times) const;
  Question about(const at::Tensor& cells, double time) const;

  // Tokens (N) for the cells of a question from the guided, truncated guess, one uniform (N) each;
  // or, of cells for which may_change() holds, x_s by the posterior, two uniforms each. Noise lies
  // on the device.
  at::Tensor draw(const Question& question, const at::Tensor& uniforms) const;
  at::Tensor draw_changes(const Question& question, const Transition& q, const at::Tensor& first,
                          const at::Tensor& second) const;
  void put(const at::Tensor& chosen, const at::Tensor& tokens);  // numbers into the flattened x
  void end_step(int step) const;                                 // step from 0
};

void sample_in_order(SamplingRun& run);  // by the one of the following that the options name

void sample_ancestral(SamplingRun& run);      // ancestral.cc
void sample_by_count(SamplingRun& run);       // unmasking.cc: random, purity, confidence, halton
void sample_first_hitting(SamplingRun& run);  // first_hitting.cc
void sample_remasking(SamplingRun& run);      // remasking.cc

// Numbers of the cells that hold true in a grid, ascending; without asking the device how many they
// are, which the host knows.
at::Tensor cells_by_sorting(const at::Tensor& grid, int64_t count);

// (B, L) bool: the n[b] candidates of each row with the highest scores; equal ones by position.
at::Tensor highest(const at::Tensor& scores, const at::Tensor& candidates, const at::Tensor& n);

}  // namespace vq
