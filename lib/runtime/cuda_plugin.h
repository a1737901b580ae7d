// What a CUDA device can do in one kernel: a library of its own, libvq_cuda.so beside libvq.so,
// which open_device("cuda") loads where it was built. Without it everything works by LibTorch's
// operators.
//
// A plugin of another build (kCudaPluginAbi) is not used. VQ_CUDA_PLUGIN=0 in the environment
// leaves it alone, to compare the two ways.
//
// All work goes to the device's current stream; nothing waits for the device and nothing is read
// back. Tensors lie on one device; what does not fit is a c10::Error that names it.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>
#include <torch/version.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

// To be counted up with every change of what follows.
#define VQ_CUDA_PLUGIN_LAYOUT "1"

namespace vq {

inline constexpr const char* kCudaPluginAbi = VQ_CUDA_PLUGIN_LAYOUT " for LibTorch " TORCH_VERSION;

// Work of a device, captured once: replay() does it again with the tensors it was captured with, at
// the same addresses, and what it allocated is its own while it lives.
class DeviceGraph {
 public:
  virtual ~DeviceGraph() = default;
  virtual void replay() = 0;
};

// One token for each of N rows of logits, from the network's output to the draw: log_softmax,
// guide() (sampling/guidance.h), truncate() (sampling/truncation.h), then draw_posterior() or
// draw_tokens() (diffusion/posterior.h).
struct RowDrawing {
  at::Tensor conditioned, null;  // (N, K) fp32, fp16 or bf16; null undefined: guidance off for all
  at::Tensor scale;              // (N) double, guidance of each row; undefined with null

  double temperature = 1, top_p = 1;  // as struct Truncation has them
  int64_t top_k = 0;

  // True: x_s by draw_posterior with the numbers of a Transition, else a token of the guess.
  bool posterior = false;
  double alpha = 0, beta = 0, alpha_bar_s = 0, beta_bar_s = 0, alpha_bar_t = 0, beta_bar_t = 0;
  at::Tensor x_t;            // (N) int64, 0..K, with posterior
  at::Tensor first, second;  // (N) double, uniforms; first with posterior only
};

class CudaPlugin {
 public:
  virtual ~CudaPlugin() = default;

  // (2, N) double on their device: first and second of uniform_pair (random.h), the same bits.
  //   records, positions (N) int64; purpose as Purpose counts
  virtual at::Tensor uniforms(uint64_t seed, uint32_t purpose, uint32_t step,
                              const at::Tensor& records, const at::Tensor& positions) const = 0;

  // (N) int64.
  virtual at::Tensor draw(const RowDrawing& rows) const = 0;

  // add_norm_plain (norm_bf16.h) for groups of equal size: x (N, D) fp32 += delta (N, D) bf16 or
  // undefined; gain, shift (G, D) fp32, of which row n takes number n / rows_each; result (N, D)
  // bf16.
  virtual at::Tensor add_norm(at::Tensor& x, const at::Tensor& delta, const at::Tensor& gain,
                              const at::Tensor& shift, int64_t rows_each) const = 0;

  // Runs `work` once on a stream of its own, to warm up, and captures it the second time: what it
  // then does on the device is what replay() does. It must not wait for the device or read from it.
  // Throws what work throws, or c10::Error; the device is as before then.
  virtual std::unique_ptr<DeviceGraph> capture(at::Device device,
                                               const std::function<void()>& work) const = 0;
};

// Null: none, see cuda_plugin_state().
const CudaPlugin* cuda_plugin();
// "loaded", or why not: "no CUDA device was opened", "turned off by VQ_CUDA_PLUGIN=0", ...
std::string cuda_plugin_state();

// For open_device, once libtorch_cuda is there.
void load_cuda_plugin();
// The two functions of such a library, vq_cuda_plugin_abi and vq_cuda_plugin.
using CudaPluginAbi = const char*();
using CudaPluginEntry = const CudaPlugin*();
// The plugin of one file; null, and `state` says why, for anything else.
const CudaPlugin* open_cuda_plugin(const std::string& path, std::string& state);

}  // namespace vq
