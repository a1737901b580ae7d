// The engine of devices with a queue of their own (CUDA), in bf16: LibTorch's products and its
// attention (flash, where the device has it), AdaLN vectors of all timesteps made beforehand. A
// step reads nothing back, so the host runs ahead of the device.
//
// It computes all positions in every layer and picks the chosen ones at the end: shapes are then
// the same in every step. It runs on any device, and is tested on a CPU and on LibTorch's device
// without values ("meta"), where reading anything back is an error. (engine_test.cc)
#pragma once

#include "lib/diffusion/engine.h"
#include "lib/runtime/product.h"

namespace vq {

class DeviceEngine : public DenoiserEngine {
 public:
  explicit DeviceEngine(const Denoiser& denoiser);
  Prepared prepare(const Features& features) const override;
  at::Tensor hidden(const at::Tensor& x_t, const std::vector<int64_t>& table_rows,
                    const Prepared& features, const at::Tensor& chosen) const override;
  at::Tensor head(const at::Tensor& hidden_rows) const override;

 private:
  struct Layer {
    at::Tensor time_self, time_cross;  // (T, 2 D) gain and shift of every row of the tables
    at::Tensor plain;                  // (1, 2 D) those of the MLP's norm, without a class
    Product qkv, out, cross_query, cross_out, context, mlp_in, mlp_out;
  };
  // All positions: x_t (B, L), table_rows (B) -> (B L, D).
  at::Tensor everywhere(const at::Tensor& x_t, const at::Tensor& table_rows,
                        const Prepared& features) const;
  // x (B, L, D) += delta, normalised; both (B or 1, 2 D) gain and shift -> bf16.
  at::Tensor normed(at::Tensor& x, const at::Tensor& delta, const at::Tensor& both) const;

  const Denoiser& denoiser_;
  std::vector<Layer> layers_;
  Product head_;
};

}  // namespace vq
