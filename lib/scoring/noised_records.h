// Records of a set with noise on them, and what a model's denoiser makes of each: where measures of
// a model on data begin.
//
//   rows     B of (record, time 1..T, number of the draw)
//   x_0      (B, L) int64, 0..K-1
//   x_t      (B, L) int64, 0..K; K is [mask]
//   hidden   (B, L, D)  the denoiser's at x_t and t, for log_guess
//
// The condition is the record's own, as in training but never dropped: its label, or its caption;
// of several captions one is drawn. Noise and choice are functions of (seed, record, draw); they
// share their purposes with training, so a measure passes a seed of its own (derive_seed).
//
// Law: a row does not depend on the rest of its batch (CPU, fp32).       (noised_records_test.cc)
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "lib/diffusion/model.h"
#include "lib/training/token_set.h"

namespace vq {

struct NoisedRow {
  int64_t record = 0;
  int time = 1;
  uint32_t draw = 0;
};

struct NoisedBatch {
  at::Tensor x_0, x_t, hidden;  // on the model's device
};

class NoisedRecords {
 public:
  NoisedRecords(const DiffusionModel& model, const TokenSet& set, uint64_t seed)
      : model_(model), set_(set), seed_(seed) {}
  NoisedBatch operator()(const std::vector<NoisedRow>& rows) const;

 private:
  at::Tensor prepared(const std::vector<NoisedRow>& rows) const;

  const DiffusionModel& model_;
  const TokenSet& set_;
  uint64_t seed_;
};

// hidden (..., D) -> (..., K) double: log p(x_0 | x_t), rows normalised.
at::Tensor log_guess(const DiffusionModel& model, const at::Tensor& hidden);

// How many rows of `width` guesses may be in memory at once, at least one.
int64_t rows_at_once(int64_t width);

// Throws vq::Error at `where` for tokens of another grid, codebook or codec than the model's, or
// without the captions or labels that it wants.
void check_fits(const DiffusionModel& model, const TokenSet& set, const std::string& where);

}  // namespace vq
