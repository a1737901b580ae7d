// The denoiser made ready for sampling on a CPU in bf16 or int8: the same function as
// Denoiser::hidden() and head(), with everything that does not change from step to step done once,
// and nothing done that nobody asked for.
//
//   once a model     weights rounded and laid out for the matrix library (runtime/product)
//   once a timestep  every layer's AdaLN vectors of that row of its table
//   once a run       the caption's keys and values in every layer, the class's AdaLN vectors
//   each step        products, attention (runtime/attention_bf16) and norms (runtime/norm_bf16);
//                    the last layer's queries and MLP, and the head, for the chosen rows only
//
// The running sum x stays in fp32; what goes into a product is rounded to bf16. In int8 the layers'
// products are of 8-bit integers; attention, the caption's keys and values and the head are not.
//
// Batch items are shared out among the threads, each of which computes its own by itself, where
// that gives each about as many. Otherwise the threads share every product.
//
// Laws: within the rounding of Denoiser; a batch item does not depend on the others, nor on the
// number of threads.                                                             (engine_test.cc)
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "lib/diffusion/denoiser.h"
#include "lib/runtime/norm_bf16.h"
#include "lib/runtime/product.h"

namespace vq {

class DenoiserEngine {
 public:
  // Not fp32; on a CPU with AVX512_BF16; a denoiser whose MLPs are products, not convolutions.
  static bool serves(const DenoiserConfig& config, at::Device device, Precision precision);
  // Keeps a reference to the denoiser.
  // `after_layer` is called when a layer's weights have been read.
  DenoiserEngine(const Denoiser& denoiser, Precision precision,
                 const std::function<void()>& after_layer = {});

  // Features (R rows) in the form every step wants them.
  struct Prepared {
    std::vector<at::Tensor> key_value;   // caption: of each layer, (R, S, 2 D) bf16
    std::vector<at::Tensor> label_norm;  // class: of each layer, (R, 2 D) gain and shift
    Prepared rows(const at::Tensor& numbers) const;
    Prepared range(int64_t first, int64_t count) const;
  };
  Prepared prepare(const Features& features) const;

  // x_t (B, L), row (B) of the timestep tables, features of B rows; chosen (N) numbers into the
  // flattened (B, L), ascending -> (N, D) fp32, what Denoiser::hidden() has there.
  at::Tensor hidden(const at::Tensor& x_t, const at::Tensor& row, const Prepared& features,
                    const at::Tensor& chosen) const;
  at::Tensor head(const at::Tensor& hidden_rows) const;  // (N, D) -> (N, K) fp32 logits

 private:
  // AdaLN vectors (gain, shift) of table rows, computed when a row is first asked for.
  struct Adaptive {
    const AdaLayerNorm* norm = nullptr;
    at::Tensor values;        // (rows, 2 D)
    std::vector<bool> known;  // (rows)
    Adaptive() = default;
    explicit Adaptive(const AdaLayerNorm& norm);
    const at::Tensor& with(const std::vector<int64_t>& rows);
  };
  struct Layer {
    Adaptive norm_self, norm_cross;
    const Block* block;
    Product qkv, out, cross_query, cross_out, mlp_in, mlp_out;
    Product last_query, last_key_value;  // of the last layer, instead of qkv
    Product context;                     // caption -> keys and values
  };
  // Rows of x by batch item, and what belongs to each item.
  struct Step {
    at::Tensor x;                // (rows, D) fp32
    std::vector<int64_t> first;  // (B + 1) each item's rows
    std::vector<int64_t> table;  // (B)
  };

  at::Tensor hidden_of(const at::Tensor& x_t, const std::vector<int64_t>& table,
                       const Prepared& features, const at::Tensor& chosen) const;
  NormScale time_scale(Adaptive& adaptive, const Step& step) const;
  at::Tensor mlp(const Layer& layer, size_t number, Step& step, const at::Tensor& delta,
                 const Prepared& features) const;
  at::Tensor cross(Layer& layer, size_t number, Step& step, const at::Tensor& delta,
                   const Prepared& features) const;
  at::Tensor self(Layer& layer, Step& step, const at::Tensor& delta) const;
  at::Tensor last_self(Layer& layer, Step& step, const at::Tensor& delta,
                       const at::Tensor& chosen) const;

  const Denoiser& denoiser_;
  int64_t heads_;
  mutable std::vector<Layer> layers_;  // mutable: the AdaLN vectors known so far
  Product head_;
};

}  // namespace vq
