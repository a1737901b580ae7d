// Where and how precisely tensors are computed: device, float type, threads, and LibTorch's errors
// as sentences.
//
// The CUDA libraries are not linked: a program that never asks for a CUDA device does not pay the
// 0.2 s and 350 MB of loading them. open_device("cuda") loads them (dlopen) and says what is
// missing.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include <exception>
#include <string>

namespace vq {

// "cpu", "cuda", "cuda:1". Throws vq::Error (usage) for other words, (failed) when there is no such
// device.
at::Device open_device(const std::string& name);

// A tensor of the host on a device, without waiting for what the device has to do before.
at::Tensor upload(const at::Tensor& host, at::Device device);

// Intra-op threads of LibTorch. 0: what OMP_NUM_THREADS says, or as many as there are cores.
void set_threads(int threads);

// What a program that runs a network again and again does first: set_threads(), and tensors in a
// pool that keeps their memory for the next ones (runtime/tensor_pool).
void start_computing(int threads);

// True when the CPU multiplies bfloat16 in hardware (AVX512_BF16 or AMX).
bool cpu_has_bf16();

// int8 is for the engine that samples (diffusion/engine): its matrix products are of 8-bit
// integers, everything else is as with bf16.
enum class Precision { fp32, bf16, int8 };
// "auto": bf16 where the device has it in hardware, else fp32.
Precision choose_precision(const std::string& word, at::Device device);
const char* precision_word(Precision precision);

// Within its scope, products and convolutions run in bf16 (LibTorch's autocast, with int8 too);
// sums, norms and losses stay fp32; with fp32 everything does, also inside a bf16 scope. Scopes
// nest; leaving one restores what was.
class AutocastScope {
 public:
  AutocastScope(at::Device device, Precision precision);
  ~AutocastScope();
  AutocastScope(const AutocastScope&) = delete;
  AutocastScope& operator=(const AutocastScope&) = delete;

 private:
  at::DeviceType type_;
  bool was_enabled_;
  at::ScalarType was_dtype_;
};

// For tools/cli/run.h: a LibTorch exception as one sentence ("out of memory on cuda:0; try a
// smaller --batch").
bool describe_torch_exception(const std::exception& e, std::string& what, std::string& hint);

}  // namespace vq
