// What the network says at the positions that are asked for: the condition's features computed once
// a run, both branches of the guidance in one batch, and no branch or row that is not needed.
//
//   x_t     (B, L) int64, K for [mask]
//   times   B times t shown to the network; its table is read at the nearest trained step
//   chosen  (N) int64, numbers into the flattened (B, L), ascending
//   log_p   (N, K) float, rows normalised
//
// Rows of the batch where nothing is chosen do not run. Guidance follows each row's share of
// [mask]. A question that says how many positions are chosen in each row and what its share of
// [mask] is reads nothing back from the device.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <optional>
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

struct Question {
  at::Tensor x_t;
  std::vector<double> times;
  at::Tensor chosen;
  std::vector<int64_t> chosen_of_row;  // (B) how many of them lie in each row
  std::vector<double> mask_share;      // (B)
};

class Guess {
 public:
  // prepared (B, S) as Condition::prepare_* gives it; negative: one more such row (S) that takes
  // the null's place, or undefined. reuse: of DenoiserEngine::Kept, 1 for the exact guess; throws
  // vq::Error (usage) above that where no engine keeps anything.
  Guess(const DiffusionModel& model, const at::Tensor& prepared, const Guidance& guidance,
        Null null, const at::Tensor& negative, int reuse = 1);

  // Both guesses at (some of) the chosen positions (n, K) and each position's scale (n) double;
  // `null` is undefined where the guidance is off for all.
  struct Both {
    at::Tensor conditioned, null, scale;
    Both normalised() const;    // log-probabilities, of logits
    at::Tensor guided() const;  // one guess, of log-probabilities
  };

  // What a question has to say, read from the tensors.
  Question ask(const at::Tensor& x_t, const std::vector<double>& times,
               const at::Tensor& chosen) const;
  at::Tensor log_p(const Question& question) const;
  // As they are, log-probabilities: for guidance of something else than x_0.
  Both both(const Question& question) const;
  // In blocks of chosen positions, one after the other: visit(first, logits of chosen[first] and
  // those behind it). The tables of K numbers a position then stay in a processor's caches, and
  // memory does not grow with the batch.
  using Visit = std::function<void(int64_t first, const Both& logits)>;
  void each_block(const Question& question, const Visit& visit) const;

  int64_t calls() const { return calls_; }  // of the network, two branches being one call

 private:
  // Batch items that run, and which of their positions are asked for.
  struct Running {
    std::vector<int64_t> items;       // (R) numbers of batch items
    at::Tensor numbers;               // (R) the same; undefined: all of them
    at::Tensor tokens;                // (R, L)
    std::vector<int64_t> table_rows;  // (R) of the timestep tables
    at::Tensor inside;                // (N) numbers into the flattened tokens
  };
  // What the network made of them: rows for the head, and where the chosen positions lie.
  struct Rows {
    at::Tensor hidden;       // (rows, D) of the conditioned branch, then of the null
    at::Tensor conditioned;  // (N) their numbers
    at::Tensor null;         // (N), undefined where the guidance is off for all
    at::Tensor scale;        // (N) likewise
  };
  Running running(const Question& question) const;
  at::Tensor scales(const Question& question, const Running& run) const;  // undefined: off for all
  Rows rows(const Question& question) const;
  at::Tensor hidden(const Running& run, bool guided) const;  // all positions
  const DenoiserEngine::Prepared& prepared_unguided() const;
  at::Tensor hidden_chosen(const Running& run, bool guided) const;  // by the model's engine
  Both logits(const Rows& rows, int64_t first, int64_t count) const;

  const DiffusionModel& model_;
  Guidance guidance_;
  int64_t items_;  // B
  Features conditioned_, null_;
  DenoiserEngine::Prepared prepared_;  // of both, the conditioned first, where there is an engine
  mutable std::optional<DenoiserEngine::Prepared> prepared_unguided_;
  mutable DenoiserEngine::Kept kept_;  // of both, likewise
  mutable int64_t calls_ = 0;
};

}  // namespace vq
