// The engine of devices with a queue of their own (CUDA), in bf16: LibTorch's products and its
// attention (flash, where the device has it), AdaLN vectors of all timesteps made beforehand. A
// step reads nothing back, so the host runs ahead of the device.
//
// It computes all positions in every layer and picks the chosen ones at the end: shapes are then
// the same in every step. With the plugin (runtime/cuda_plugin) the norms are one kernel each, and
// the second step of a batch size is captured as a graph, which the following ones replay: a few
// hundred launches become one.
//
// It runs on any device, and is tested on a CPU, with a plugin that only seems to be one, and on
// LibTorch's device without values ("meta").          (engine_device_test.cc,
// no_reading_back_test.cc)
#pragma once

#include <map>
#include <memory>

#include "lib/diffusion/engine.h"
#include "lib/runtime/cuda_plugin.h"
#include "lib/runtime/product.h"

namespace vq {

class DeviceEngine : public DenoiserEngine {
 public:
  // Without a plugin (null), by LibTorch's operators alone.
  DeviceEngine(const Denoiser& denoiser, const CudaPlugin* plugin);
  Prepared prepare(const Features& features) const override;
  at::Tensor hidden(const at::Tensor& x_t, const std::vector<int64_t>& table_rows,
                    const Prepared& features, const at::Tensor& chosen) const override;
  at::Tensor head(const at::Tensor& hidden_rows) const override;

 private:
  struct Layer {
    size_t time_self = 0, time_cross = 0;  // numbers of their norms in times_
    bool crosses = false;
    at::Tensor plain_gain, plain_shift;  // (1, D) of the MLP's norm; undefined with a class
    Product qkv, out, cross_query, cross_out, context;
    Product mlp_in, mlp_out;  // where they are convolutions, of patches
  };
  // What a step works on where it is replayed: always the same tensors, filled anew.
  struct Replay {
    at::Tensor x_t, table_rows;  // (B, L), (B)
    Prepared features;
    at::Tensor hidden;  // (B L, D)
    std::unique_ptr<DeviceGraph> graph;
    uint64_t used = 0;  // the step in which it was wanted last
  };

  // All positions: x_t (B, L), table_rows (B) -> (B L, D).
  at::Tensor everywhere(const at::Tensor& x_t, const at::Tensor& table_rows,
                        const Prepared& features) const;
  // x (B L, D) += delta, normalised; gain, shift (B or 1, D) -> bf16.
  at::Tensor normed(at::Tensor& x, const at::Tensor& delta, const at::Tensor& gain,
                    const at::Tensor& shift, int64_t items) const;
  // Of convolutions: the neighbours of so many grids' cells; else undefined.
  at::Tensor around(int64_t items) const;
  at::Tensor mlp(const Layer& layer, const at::Tensor& normed, const at::Tensor& around) const;
  // The same as everywhere(); null before it is worth while, and where capturing failed.
  const at::Tensor* replayed(const at::Tensor& x_t, const at::Tensor& table_rows,
                             const Prepared& features) const;
  bool capture(Replay& replay, const at::Tensor& x_t, const at::Tensor& table_rows,
               const Prepared& features) const;

  const Denoiser& denoiser_;
  const CudaPlugin* plugin_;
  at::Tensor around_;  // of convolutions: the neighbours of one grid's cells
  at::Tensor times_;   // (norms, 2, T, D) gain and shift of every row of every time table
  std::vector<Layer> layers_;
  Product head_;
  mutable std::map<int64_t, Replay> replays_;  // by batch size
  mutable uint64_t steps_ = 0;
  mutable bool captures_ = true;  // false once one has failed
};

}  // namespace vq
