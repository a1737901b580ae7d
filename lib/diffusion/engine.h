// The denoiser made ready for sampling: the same function as Denoiser::hidden() and head(), with
// everything that does not change from step to step done once, and nothing done that nobody asked
// for.
//
//   once a model     weights rounded, and laid out for the matrix library (runtime/product)
//   once a timestep  every layer's AdaLN vectors of that row of its table, those of many at once
//   once a run       the caption's keys and values in every layer, the class's AdaLN vectors
//   each step        products, attention and norms
//
// The running sum x stays in fp32; what goes into a product is rounded to bf16. There is one for
// CPUs (engine_cpu.h) and one for other devices (engine_device.h).
//
// Laws: within the rounding of Denoiser; on a CPU a batch item does not depend on the others, to
// the bit. (engine_test.cc)
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "lib/diffusion/denoiser.h"
#include "lib/runtime/device.h"

namespace vq {

class DenoiserEngine {
 public:
  // Not for fp32; on a CPU only with AVX512_BF16; int8 only on a CPU.
  static bool serves(at::Device device, Precision precision);
  // Null where it does not serve. Keeps a reference to the denoiser, whose tensors must stay where
  // they are. They may lie in a mapped file: `weights_read` is called when many of them have been
  // read and will not be for long.
  static std::unique_ptr<DenoiserEngine> make(const Denoiser& denoiser, at::Device device,
                                              Precision precision,
                                              const std::function<void()>& weights_read = {});
  virtual ~DenoiserEngine() = default;

  // Features (R rows) in the form every step wants them.
  struct Prepared {
    std::vector<at::Tensor> key_value;   // caption: of each layer, (R, S, 2 D) bf16
    std::vector<at::Tensor> label_norm;  // class: of each layer, (R, 2 D) gain and shift
    uint64_t number = 0;                 // tells those of DeviceEngine::prepare() apart; else 0
    Prepared rows(const at::Tensor& numbers) const;
    Prepared range(int64_t first, int64_t count) const;
  };
  virtual Prepared prepare(const Features& features) const = 0;

  // x_t (B, L), the B items' rows of the timestep tables, features of B rows; chosen (N) numbers
  // into the flattened (B, L), ascending -> (N, D) fp32, what Denoiser::hidden() has there.
  virtual at::Tensor hidden(const at::Tensor& x_t, const std::vector<int64_t>& table_rows,
                            const Prepared& features, const at::Tensor& chosen) const = 0;
  virtual at::Tensor head(const at::Tensor& hidden_rows) const = 0;  // (N, D) -> (N, K) fp32 logits
  // Until everything is made ready: before the denoiser's weights are changed, of which only those
  // of norms, embeddings and int8's biases are read from then on.
  virtual void finish() const {}

  // What a run keeps of its items' positions from step to step: an approximation. A position whose
  // token has not changed is taken to have the keys and values it had, though the others around it
  // and the time have changed; every `every`-th step of an item computes all of them anew.
  struct Kept {
    int every = 1;                      // steps; 1: nothing is kept, hidden() is exact
    std::vector<at::Tensor> key_value;  // of each layer, (items, L, 2 D) bf16
    at::Tensor tokens;                  // (items, L) those they were computed with
    std::vector<int> steps;             // (items) since all were computed, 0: never
  };
  // Whether hidden_keeping() can be called: not on a device, nor where MLPs are convolutions, whose
  // cells depend on those around them.
  virtual bool keeps() const { return false; }
  // hidden() with kept positions: x_t, table_rows and features of some items, whose numbers among
  // those of `kept` are `items`. Only the positions that are chosen, or have another token than
  // before, are computed. Which they are, and so what comes out, depends on the item alone. Throws
  // vq::Error where keeps() is false.
  virtual at::Tensor hidden_keeping(const at::Tensor& x_t, const std::vector<int64_t>& table_rows,
                                    const Prepared& features, const at::Tensor& chosen,
                                    const std::vector<int64_t>& items, Kept& kept) const;
};

// AdaLN's own product (R, 2 D), scale and shift -> gain and shift.
at::Tensor gain_and_shift(const at::Tensor& scale_and_shift);

}  // namespace vq
