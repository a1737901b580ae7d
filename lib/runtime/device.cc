#include "lib/runtime/device.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/autocast_mode.h>
#include <c10/util/Exception.h>
#include <c10/util/Flags.h>
#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <thread>

#include "formats/error.h"
#include "lib/runtime/cuda_plugin.h"
#include "lib/runtime/tensor_pool.h"

// LibTorch's own switch: a failed check (out of memory, above all) ends the process instead of
// throwing. Some builds have it on.
C10_DECLARE_bool(caffe2_use_fatal_for_enforce);

namespace vq {
namespace {

// Set when the library is loaded, after LibTorch's own start: every failure is an exception here.
[[maybe_unused]] const bool failures_throw = [] {
  FLAGS_caffe2_use_fatal_for_enforce = false;
  return true;
}();

// Loads the driver first: without it the 300 MB of CUDA libraries are not worth opening.
void load_cuda() {
  if (dlopen("libcuda.so.1", RTLD_NOW | RTLD_GLOBAL) == nullptr) {
    throw Error("--device", "this machine has no NVIDIA driver (libcuda.so.1 is not there)",
                "leave --device out to run on the CPU");
  }
  if (dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL) == nullptr) {
    throw Error("--device", std::string("cannot load LibTorch's CUDA part: ") + dlerror(),
                "install the CUDA libraries of the same LibTorch build");
  }
  load_cuda_plugin();
}

at::Device checked_cuda(const std::string& name) {
  const at::Device device(name);
  static const bool loaded = (load_cuda(), true);  // once, and before the first question about CUDA
  (void)loaded;
  const auto count = at::globalContext().hasCUDA() ? at::detail::getCUDAHooks().deviceCount() : 0;
  const int index = device.has_index() ? device.index() : 0;
  if (index >= count) {
    throw Error("--device",
                "no " + name + ": LibTorch sees " + std::to_string(count) + " CUDA devices");
  }
  return at::Device(at::kCUDA, static_cast<at::DeviceIndex>(index));
}

bool is_cuda_name(const std::string& name) {
  if (name == "cuda") return true;
  if (name.compare(0, 5, "cuda:") != 0 || name.size() < 6 || name.size() > 7) return false;
  if (name[5] == '0' && name.size() > 6) return false;
  return name.find_first_not_of("0123456789", 5) == std::string::npos;
}

}  // namespace

at::Device open_device(const std::string& name) {
  if (name == "cpu") return at::Device(at::kCPU);
  if (is_cuda_name(name)) return checked_cuda(name);
  throw Error::usage("--device", "'" + name + "' is not a device",
                     "devices are cpu, cuda, cuda:1, ...");
}

// Of little that is not pinned the driver keeps a copy of its own and returns; for more it may wait
// for the device. Either way the host's tensor may go away.
at::Tensor upload(const at::Tensor& host, at::Device device) {
  constexpr size_t little = 32 << 10;
  if (device.is_cuda() && host.nbytes() > little)
    return host.pin_memory().to(device, host.scalar_type(), /*non_blocking=*/true);
  return host.to(device, host.scalar_type(), /*non_blocking=*/true);
}

void set_threads(int threads) {
  // LibTorch's own default is MKL's, which takes one thread for two virtual cores.
  if (threads == 0) {
    const char* asked = std::getenv("OMP_NUM_THREADS");
    threads = asked ? std::atoi(asked) : 0;
  }
  const int all = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  at::set_num_threads(threads > 0 ? threads : all);
}

void start_computing(int threads) {
  pool_tensors();
  set_threads(threads);
}

bool cpu_has_bf16() {
#if defined(__x86_64__)
  // AVX512_BF16 is CPUID leaf 7, sub-leaf 1, EAX bit 5; AMX-BF16 leaf 7, sub-leaf 0, EDX bit 22.
  unsigned a = 7, b = 0, c = 1, d = 0;
  __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
  const bool avx512_bf16 = (a >> 5 & 1) != 0;
  a = 7, c = 0;
  __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
  const bool amx_bf16 = (d >> 22 & 1) != 0;
  return (avx512_bf16 || amx_bf16) && __builtin_cpu_supports("avx512bw") != 0;
#else
  return false;
#endif
}

Precision choose_precision(const std::string& word, at::Device device) {
  if (word == "fp32") return Precision::fp32;
  if (word == "bf16") return Precision::bf16;
  if (word == "int8") return Precision::int8;
  if (word != "auto")
    throw Error::usage("--dtype", "'" + word + "' is not one of auto, fp32, bf16, int8");
  if (device.is_cuda()) return Precision::bf16;
  return cpu_has_bf16() ? Precision::bf16 : Precision::fp32;
}

const char* precision_word(Precision precision) {
  return precision == Precision::fp32 ? "fp32" : precision == Precision::bf16 ? "bf16" : "int8";
}

AutocastScope::AutocastScope(at::Device device, Precision precision)
    : type_(device.type()),
      was_enabled_(at::autocast::is_autocast_enabled(type_)),
      was_dtype_(at::autocast::get_autocast_dtype(type_)) {
  at::autocast::set_autocast_enabled(type_, precision != Precision::fp32);
  at::autocast::set_autocast_dtype(type_, at::kBFloat16);
  at::autocast::increment_nesting();
}

AutocastScope::~AutocastScope() {
  if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
  at::autocast::set_autocast_enabled(type_, was_enabled_);
  at::autocast::set_autocast_dtype(type_, was_dtype_);
}

bool describe_torch_exception(const std::exception& e, std::string& what, std::string& hint) {
  const auto* error = dynamic_cast<const c10::Error*>(&e);
  if (error == nullptr) return false;
  std::string text = error->what_without_backtrace();
  if (dynamic_cast<const c10::OutOfMemoryError*>(error) != nullptr ||
      text.find("not enough memory") != std::string::npos ||
      text.find("can't allocate memory") != std::string::npos) {
    what = "out of memory";
    hint = "try a smaller --batch";
    return true;
  }
  const size_t line_end = text.find('\n');
  if (line_end != std::string::npos) text.resize(line_end);
  what = "LibTorch: " + text;
  hint.clear();
  return true;
}

}  // namespace vq
