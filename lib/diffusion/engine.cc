#include "lib/diffusion/engine.h"

#include <ATen/ATen.h>

#include "formats/error.h"
#include "lib/diffusion/engine_cpu.h"
#include "lib/diffusion/engine_device.h"
#include "lib/runtime/avx512.h"

namespace vq {
namespace {

template <class Change>
std::vector<at::Tensor> each(const std::vector<at::Tensor>& all, const Change& change) {
  std::vector<at::Tensor> changed;
  for (const at::Tensor& t : all) changed.push_back(change(t));
  return changed;
}

}  // namespace

bool DenoiserEngine::serves(at::Device device, Precision precision) {
  if (precision == Precision::fp32) return false;
  return device.is_cpu() ? has_avx512_bf16() : precision == Precision::bf16;
}

std::unique_ptr<DenoiserEngine> DenoiserEngine::make(const Denoiser& denoiser, at::Device device,
                                                     Precision precision,
                                                     const std::function<void()>& weights_read) {
  if (!serves(device, precision)) return nullptr;
  if (device.is_cpu()) return std::make_unique<CpuEngine>(denoiser, precision, weights_read);
  return std::make_unique<DeviceEngine>(denoiser, device.is_cuda() ? cuda_plugin() : nullptr);
}

DenoiserEngine::Prepared DenoiserEngine::Prepared::rows(const at::Tensor& numbers) const {
  const auto pick = [&](const at::Tensor& t) { return t.index_select(0, numbers); };
  return {each(key_value, pick), each(label_norm, pick), 0};
}

DenoiserEngine::Prepared DenoiserEngine::Prepared::range(int64_t first, int64_t count) const {
  const auto part = [&](const at::Tensor& t) { return t.narrow(0, first, count); };
  return {each(key_value, part), each(label_norm, part), 0};
}

at::Tensor DenoiserEngine::hidden_keeping(const at::Tensor&, const std::vector<int64_t>&,
                                          const Prepared&, const at::Tensor&,
                                          const std::vector<int64_t>&, Kept&) const {
  throw Error::usage("--reuse", "needs an engine of a CPU, and a model without convolutions");
}

at::Tensor gain_and_shift(const at::Tensor& scale_and_shift) {
  const auto parts = scale_and_shift.chunk(2, -1);
  return at::cat({parts[0] + 1, parts[1]}, -1);
}

}  // namespace vq
