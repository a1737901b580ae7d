// The codebook: latent vectors -> nearest codes, and how the codes learn.
//
//   z       (N, D)   latent vectors, one a cell
//   codes   (K, D)   the codebook
//   index   (N)      int64, the nearest code by Euclidean distance
//
// The codes take no gradient. Each follows the vectors that chose it (van den Oord et al., NeurIPS
// 2017, appendix A.1):
//   count_k <- decay * count_k + (1 - decay) * how many chose k
//   sum_k   <- decay * sum_k   + (1 - decay) * their sum;    code_k = sum_k / count_k
// They start as k-means centres of real latent vectors; a code that nobody chose for
// `restart_after` steps is put on a vector that its own code serves badly.
//
// Laws: nearest_code does not depend on the batch; everything random is a function of (seed, step).
// (codebook_test.cc)
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "lib/weights/model_file.h"

namespace vq {

at::Tensor nearest_code(const at::Tensor& z, const at::Tensor& codes);

// A code each by the inverse distribution: log_scores (N, K) normalised, uniforms (N) double in
// (0, 1). A code without probability never comes out.
at::Tensor draw_code(const at::Tensor& log_scores, const at::Tensor& uniforms);

// Forward: the code of each vector. Backward: the gradient goes through unchanged
// (straight-through).
struct Quantised {
  at::Tensor index;     // (N)
  at::Tensor vectors;   // (N, D), codes[index] in value
  at::Tensor distance;  // scalar: mean square distance from z to its code; the commitment loss
};
Quantised quantise(const at::Tensor& z, const at::Tensor& codes);

// Lloyd's algorithm from `codes` random rows of z; empty clusters move to random rows.
at::Tensor k_means(const at::Tensor& z, int64_t codes, int64_t rounds, uint64_t seed);

// sha256 of the codebook's float32 bytes: what token files name their codec by.
std::string codebook_identity(const at::Tensor& codes);

// How many of each code: (K) int64.
at::Tensor count_codes(const at::Tensor& index, int64_t codes);
// exp(entropy) of counts: how many codes there would be if all used ones were used alike.
double code_perplexity(const at::Tensor& counts);
// The used codes, most used first, ties by number: (K') int64.
at::Tensor codes_by_use(const at::Tensor& counts);

struct CodebookOptions {
  double decay = 0.98;
  int64_t restart_after = 60;  // steps without use; 0: never restarted
};

// The moving statistics of a codebook in training.
class CodebookLearner {
 public:
  // `codes` is changed in place.
  CodebookLearner(at::Tensor codes, const CodebookOptions& options);

  bool started() const { return started_; }
  void start(const at::Tensor& z, uint64_t seed);
  // One step with the vectors of a batch and the codes they chose; returns how many codes were
  // restarted.
  int64_t update(const at::Tensor& z, const at::Tensor& index, bool restart, uint64_t seed,
                 int64_t step);

  int64_t codes_used() const;  // chosen at least once in the last `restart_after` steps
  double perplexity() const;   // of the moving counts

  std::vector<NamedTensor> state() const;  // "codebook.count", "codebook.sum", "codebook.idle"
  void load_state(const SafetensorsFile& file);

 private:
  int64_t restart_idle(const at::Tensor& z, const at::Tensor& index, uint64_t seed, int64_t step);

  at::Tensor codes_, count_, sum_, idle_;
  CodebookOptions options_;
  bool started_ = false;
};

}  // namespace vq
