#include "lib/runtime/cuda_plugin.h"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <system_error>

namespace vq {
namespace {

struct Loaded {
  std::mutex mutex;
  const CudaPlugin* plugin = nullptr;
  std::string state = "no CUDA device was opened";
};

Loaded& loaded() {
  static Loaded one;
  return one;
}

// The folder that this library was loaded from; both in a build and installed the plugin lies
// there.
std::filesystem::path own_folder() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&load_cuda_plugin), &info) == 0) return {};
  std::error_code error;
  const auto path = std::filesystem::canonical(info.dli_fname, error);
  return error ? std::filesystem::path() : path.parent_path();
}

}  // namespace

const CudaPlugin* open_cuda_plugin(const std::string& path, std::string& state) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    state = "not there: " + path;
    return nullptr;
  }
  // Never closed: the kernels are the device's until the program ends.
  void* const library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    state = std::string("cannot be loaded: ") + dlerror();
    return nullptr;
  }
  const auto abi = reinterpret_cast<CudaPluginAbi*>(dlsym(library, "vq_cuda_plugin_abi"));
  const auto entry = reinterpret_cast<CudaPluginEntry*>(dlsym(library, "vq_cuda_plugin"));
  if (abi == nullptr || entry == nullptr) {
    state = "is no plugin: " + path;
    return nullptr;
  }
  if (std::string(abi()) != kCudaPluginAbi) {
    state = "of another build: " + path + " is version " + abi() + ", not " + kCudaPluginAbi;
    return nullptr;
  }
  state = "loaded";
  return entry();
}

void load_cuda_plugin() {
  Loaded& one = loaded();
  const std::lock_guard lock(one.mutex);
  const char* const asked = std::getenv("VQ_CUDA_PLUGIN");
  if (asked != nullptr && std::string(asked) == "0") {
    one.state = "turned off by VQ_CUDA_PLUGIN=0";
    return;
  }
  one.plugin = open_cuda_plugin((own_folder() / "libvq_cuda.so").string(), one.state);
}

const CudaPlugin* cuda_plugin() {
  Loaded& one = loaded();
  const std::lock_guard lock(one.mutex);
  return one.plugin;
}

std::string cuda_plugin_state() {
  Loaded& one = loaded();
  const std::lock_guard lock(one.mutex);
  return one.state;
}

}  // namespace vq
