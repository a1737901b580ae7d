// What the network says at the positions that are asked for: the condition's features computed once
// a run, both branches of the guidance in one batch, and no branch or row that is not needed.
//
//   x_t     (B, L) int64, K for [mask]
//   times   B times t shown to the network; its table is read at the nearest trained step
//   chosen  (N) int64, numbers into the flattened (B, L), ascending
//   log_p   (N, K) float, rows normalised
//
// Rows of the batch where nothing is chosen do not run. Guidance follows each row's share of
// [mask].
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "lib/diffusion/model.h"
#include "lib/sampling/guidance.h"

namespace vq {

// What stands for "no condition" in the guidance.
enum class Null {
  learned,  // the null learned in training (paper section 3.1)
  empty,    // the empty caption, for models trained with it
  zero,     // features of zeros: zero-shot, nothing was trained for it
};

class Guess {
 public:
  // prepared (B, S) as Condition::prepare_* gives it; negative: one more such row (S) that takes
  // the null's place, or undefined.
  Guess(const DiffusionModel& model, const at::Tensor& prepared, const Guidance& guidance,
        Null null, const at::Tensor& negative);

  at::Tensor log_p(const at::Tensor& x_t, const std::vector<double>& times,
                   const at::Tensor& chosen) const;

  // The same in blocks of chosen positions, one after the other: visit(first, log_p of
  // chosen[first] and those behind it). The tables of K numbers a position then stay in the
  // processor's caches, and memory does not grow with the batch.
  using Visit = std::function<void(int64_t first, const at::Tensor& log_p)>;
  void each_log_p(const at::Tensor& x_t, const std::vector<double>& times, const at::Tensor& chosen,
                  const Visit& visit) const;

  // Both guesses as they are, and each chosen position's scale: for guidance of something else than
  // x_0. `null` is undefined where the guidance is off for all.
  struct Both {
    at::Tensor conditioned, null, scale;
  };
  Both both(const at::Tensor& x_t, const std::vector<double>& times,
            const at::Tensor& chosen) const;

  int64_t calls() const { return calls_; }  // of the network, two branches being one call

 private:
  // What the network made of a batch: rows for the head, and where the chosen positions lie.
  struct Rows {
    at::Tensor hidden;       // (rows, D) of the conditioned branch, then of the null
    at::Tensor conditioned;  // (N) their numbers
    at::Tensor null;         // (N), undefined where the guidance is off for all
    at::Tensor scale;        // (N) likewise
  };
  // Batch items that run, and which of their positions are asked for.
  struct Asked {
    at::Tensor items;   // (R) numbers of batch items
    at::Tensor tokens;  // (R, L)
    at::Tensor row;     // (R) of the timestep tables
    at::Tensor inside;  // (N) numbers into the flattened tokens
  };
  Rows run(const at::Tensor& x_t, const std::vector<double>& times, const at::Tensor& chosen) const;
  at::Tensor hidden(const Asked& asked, bool guided) const;         // all positions
  at::Tensor hidden_chosen(const Asked& asked, bool guided) const;  // by the model's engine
  Both heads(const Rows& rows, int64_t first, int64_t count) const;

  const DiffusionModel& model_;
  Guidance guidance_;
  int64_t items_;  // B
  Features conditioned_, null_;
  DenoiserEngine::Prepared prepared_;  // of both, the conditioned first, where there is an engine
  mutable int64_t calls_ = 0;
};

}  // namespace vq
