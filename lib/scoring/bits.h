// How many bits a token of whole images costs under a diffusion model, at most: the variational
// bound of -log2 p(x_0), over L positions, as a mean over records.
//
//   -log p(x_0) <= KL(q(x_T | x_0) || p(x_T)) + sum over t = 1..T of E[term_t]     in nats
//
// with the terms of lib/diffusion/loss.h, which are estimated: a record is noised at `draws`
// different times, and T times the mean of its terms stands for their sum.
//
// The start p(x_T). The released schedules leave a share of about 1e-5 not masked at T, so that
// starting from [mask] alone would cost infinitely much. The bound is of the chain that starts each
// position in [mask] with chance gamma_bar_T, and else in one of the K tokens, all alike; the first
// term is then a closed form (prior_divergence), about 1e-4 bits. Sampling starts from [mask]
// alone.
//
// The last step. Where nothing is ever replaced, a token that is there at t = 1 is right and
// sampling keeps it, so it costs nothing, whatever the network says of it.
//
// Times are drawn without holes (even_times): T is cut into `draws` equal pieces, and of each piece
// the records take equal shares, in a drawn order. So how much the terms differ from time to time
// adds nothing to the error. What does is how much they differ at one time, or between times near
// each other where a set is small: the standard error is the spread over records of the sum of
// their draws' distances from the means of such times.
//
// Laws: the mean over draws is the bound, enumerated; guesses that know nothing cost log2 K where
// nothing is replaced; the stated error is the spread of repetitions; the batch size does not
// matter (CPU).                                                                     (bits_test.cc)
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "lib/diffusion/model.h"
#include "lib/training/token_set.h"

namespace vq {

struct BitsOptions {
  int draws = 4;  // different times a record, at most T
  int64_t batch = 32;
  uint64_t seed = 0;
  std::function<void(int64_t grids)> on_progress = [](int64_t) {};  // of records times draws
};

struct Bits {
  double value = 0;  // bits a token
  double error = 0;  // of the mean over records; NaN of one record
  int64_t records = 0;
  int draws = 0;
};

// The set must fit the model (check_fits). Throws vq::Error: more draws than times, guesses that
// are not numbers.
Bits bits_per_token(const DiffusionModel& model, const TokenSet& set, const BitsOptions& options);

// KL(q(x_T | x_0) || p(x_T)) of one position, in nats.
double prior_divergence(const Schedule& schedule);

// Throws vq::Error unless the model has so many different times.
void check_draws(const DiffusionModel& model, int draws);

// (records * draws), record by record: 1..T, different within a record; no time is used more often
// than another but by one.
std::vector<int> even_times(uint64_t seed, int64_t records, int draws, int timesteps);

}  // namespace vq
