// The engine of a CPU with AVX512_BF16, in bf16 or int8: weights packed for oneDNN, attention and
// norms in kernels of our own (runtime/attention_bf16, runtime/norm_bf16); the last layer's queries
// and MLP, and the head, for the chosen rows only.
//
// In int8 the layers' products are of 8-bit integers; attention, the caption's keys and values and
// the head are not.
//
// The weights are made ready by a thread of their own, while prompts are read and captions encoded;
// the first step waits for the last of them. (Beginning it with the first of them is no gain: the
// two then take the processors from each other.)
//
// Batch items are shared out among the threads, each of which computes its own by itself, where
// that gives each about as many. Otherwise the threads share every product.
//
// Law: a batch item does not depend on the number of threads either.              (engine_test.cc)
#pragma once

#include "lib/diffusion/engine.h"
#include "lib/diffusion/patches.h"
#include "lib/runtime/background.h"
#include "lib/runtime/norm_bf16.h"
#include "lib/runtime/product.h"

namespace vq {

class CpuEngine : public DenoiserEngine {
 public:
  CpuEngine(const Denoiser& denoiser, Precision precision,
            const std::function<void()>& weights_read);
  Prepared prepare(const Features& features) const override;
  at::Tensor hidden(const at::Tensor& x_t, const std::vector<int64_t>& table_rows,
                    const Prepared& features, const at::Tensor& chosen) const override;
  at::Tensor head(const at::Tensor& hidden_rows) const override;
  void finish() const override;
  bool keeps() const override { return !denoiser_.config().convolutions; }
  at::Tensor hidden_keeping(const at::Tensor& x_t, const std::vector<int64_t>& table_rows,
                            const Prepared& features, const at::Tensor& chosen,
                            const std::vector<int64_t>& items, Kept& kept) const override;

 private:
  // AdaLN vectors (gain, shift) of table rows, computed when they are first asked for.
  struct Adaptive {
    const AdaLayerNorm* norm = nullptr;
    at::Tensor values;        // (rows, 2 D)
    std::vector<bool> known;  // (rows)
    Adaptive() = default;
    explicit Adaptive(const AdaLayerNorm& norm);
    bool learn(const std::vector<int64_t>& rows);  // whether any was new
  };
  struct Layer {
    Adaptive norm_self, norm_cross;
    const Block* block;
    Product qkv, out, cross_query, cross_out;
    Product mlp_in, mlp_out;             // where they are convolutions, of patches
    Product last_query, last_key_value;  // of the last layer, instead of qkv
    Product context;                     // caption -> keys and values
  };
  // Rows of x by batch item, and what belongs to each item.
  struct Step {
    at::Tensor x;                // (rows, D) fp32
    std::vector<int64_t> first;  // (B + 1) each item's rows
    std::vector<int64_t> table;  // (B)
    // Of convolutions: which rows lie around those that the MLP's halves are computed for.
    at::Tensor around_in = {}, around_out = {};
  };

  // The pieces of work in the background: the captions' products, then each layer's, then the head.
  void make_ready(size_t piece, Precision precision, Product::Room& room);

  at::Tensor hidden_of(const at::Tensor& x_t, const std::vector<int64_t>& table,
                       const Prepared& features, const at::Tensor& chosen) const;
  NormScale time_scale(const Adaptive& adaptive, const Step& step) const;
  // Prepares a step for the last layer, in which the chosen cells' surroundings matter only;
  // returns those, as numbers into the flattened (B, L).
  std::vector<int64_t> surroundings(const std::vector<int64_t>& chosen, Step& step) const;
  at::Tensor mlp(const Layer& layer, size_t number, Step& step, const at::Tensor& delta,
                 const Prepared& features) const;
  at::Tensor cross(const Layer& layer, size_t number, Step& step, const at::Tensor& delta,
                   const Prepared& features) const;
  at::Tensor self(const Layer& layer, Step& step, const at::Tensor& delta) const;
  at::Tensor last_self(const Layer& layer, Step& step, const at::Tensor& delta,
                       const std::vector<int64_t>& rows) const;

  // Attention among a step's rows and the kept ones of the same items, which take in the step's.
  at::Tensor self_keeping(size_t number, Step& step, const at::Tensor& delta,
                          const at::Tensor& kept_rows, const at::Tensor& items, Kept& kept) const;
  void learn_times(const std::vector<int64_t>& table_rows) const;

  const Denoiser& denoiser_;
  std::function<void()> weights_read_;
  int64_t heads_;
  Grid grid_;
  mutable std::vector<Layer> layers_;  // mutable: the AdaLN vectors known so far
  Product head_;
  Background work_;  // ends before the rest does
};

}  // namespace vq
