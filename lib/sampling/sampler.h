// Noise -> tokens: from all [mask] at time T, or from a canvas that is partly there, to tokens at
// time 0, in one of several orders in which tokens become final.
//
// sample() is a pure function of (model, request, options): nothing sticks to the model, and record
// i comes out the same whatever shares its batch (CPU, fp32).
//
//   order          what becomes final in a step                                          source
//   ancestral      exactly Eq. 5, for any two times                                      paper 2
//   random         a fixed number of [mask], chosen evenly                     Algorithm 1, B.1
//   purity         a fixed number, chosen by purity, guesses sharpened         Algorithm 2, B.2
//   confidence     those whose drawn token the network believes most           MaskGIT
//   halton         a fixed number, spread over the grid                        Halton-MaskGIT
//   first-hitting  one by one, each at the time the process would unmask it    Zheng et al. 2024
//   remask         as ancestral, but tokens may go back to [mask]              ReMDM
//
// All orders but ancestral take the process for absorbing: a token that is there is never replaced
// (the released schedule replaces 1e-6 of them). A frozen position never changes in any of them.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "lib/diffusion/model.h"
#include "lib/sampling/guess.h"
#include "lib/sampling/truncation.h"

namespace vq {

enum class Order { ancestral, random, purity, confidence, halton, first_hitting, remask };
const std::vector<std::string>& order_words();
Order parse_order(const std::string& word);  // throws vq::Error (usage)

struct SamplerOptions {
  // Steps of a whole run; a canvas that starts later takes its share of them. The number of [mask]
  // falls as the model's gamma_bar does at their times. 0: as many as the model was trained
  // with, or one token a step with first-hitting.
  int steps = 0;
  Spacing spacing = Spacing::even;  // of the steps' times; not of first-hitting
  int64_t tokens_per_step = 0;      // the paper's Delta z instead of steps; 0: by steps
  Order order = Order::ancestral;
  // The released code's "fast" mode, for comparison: it visits every k-th step, k = T / steps, but
  // takes the posterior of one step only, so most masks are left to the last steps. With ancestral.
  bool one_step_posterior = false;
  // r of Eq. 11: the guess is raised to the power 1 + r purity. Purity is Eq. 8, or, as in the
  // released code, that divided by the grid's largest.
  double purity_weight = 1;
  bool purity_relative = false;
  // MaskGIT's: Gumbel noise of this size, shrinking with the share of masks left, is added to the
  // logarithm of each drawn token's probability.
  double confidence_noise = 4.5;
  // ReMDM's chance sigma of a token to go back, at most (1 - A_s) / A_t with A = 1 - gamma_bar:
  //   cap         min(strength, that)
  //   rescale     strength times that
  //   confidence  the same, shared out over the tokens by softmax(-probability when drawn)
  std::string remask_rule = "cap";
  double remask_strength = 0.02;
  Guidance guidance;
  Null null = Null::learned;
  Truncation truncation;
  // An approximation for speed: positions are computed anew every so many steps only, unless their
  // token has changed or is to be drawn (DenoiserEngine::Kept). 1: exact.
  int reuse = 1;
  uint64_t seed = 0;
};

// What is asked for: B records.
struct Request {
  at::Tensor prepared;            // (B, S) int64, as Condition::prepare_* gives it
  std::vector<uint64_t> records;  // B numbers that select the noise
  at::Tensor negative = {};       // (S) a condition in the null's place, or undefined
  at::Tensor tokens = {};         // (B, L) int64 to start from, K for [mask]; undefined: all [mask]
  at::Tensor frozen = {};         // (B, L) bool, holding no [mask]; undefined: none
  double time = -1;               // of the schedule at the start; negative: T
};

struct SamplerReport {
  int64_t network_calls = 0;  // for the batch; guidance makes it two branches in one call
};

// (B, L) tokens. `each_step`, if any, sees the grid after every step (number from 1, tokens
// (B, L)). Throws vq::Error (usage) for options that do not go together.
at::Tensor sample(const DiffusionModel& model, const Request& request,
                  const SamplerOptions& options, SamplerReport* report = nullptr,
                  const std::function<void(int, const at::Tensor&)>& each_step = {});

}  // namespace vq
