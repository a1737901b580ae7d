// Keeps the likely part of p(x_0): temperature, top-k, and top-p, the released models' "truncation
// rate".
//
// log_p (N, K) rows normalised -> probabilities (N, K), rows normalised.
//   temperature  log_p / temperature first
//   top_k        the k most likely tokens; 0: all
//   top_p        the most likely tokens while the mass before them is below p, so the one that
//   crosses p is kept, and the
//                most likely one always; 1: all. The released code leaves the rest unnormalised,
//                which its draw undoes.
// Among equally likely tokens the lower number comes first.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace vq {

struct Truncation {
  double temperature = 1, top_p = 1;
  int64_t top_k = 0;
};

at::Tensor truncate(const at::Tensor& log_p, const Truncation& truncation);

}  // namespace vq
