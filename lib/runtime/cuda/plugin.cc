// The plugin's side of cuda_plugin.h: tensors in, launches out. Checks everything that a kernel
// takes for granted, since a kernel that reads elsewhere takes the whole device with it.
#include <ATen/core/Tensor.h>
#include <ATen/cuda/CUDAGraph.h>
#include <ATen/ops/empty.h>
#include <c10/core/Event.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <type_traits>

#include "lib/runtime/cuda/draw_rules.h"
#include "lib/runtime/cuda/kernels.h"
#include "lib/runtime/cuda_plugin.h"

namespace vq {
namespace {

static_assert(sizeof(Bf16Bits) == sizeof(at::BFloat16) && sizeof(Fp16Bits) == sizeof(at::Half));

// `t` densely laid out, after a look whether it is what the kernel takes it for.
at::Tensor dense(const char* name, const at::Tensor& t, at::IntArrayRef sizes, at::ScalarType type,
                 at::Device device) {
  TORCH_CHECK(t.defined(), name, " is missing");
  TORCH_CHECK(t.device() == device, name, " is on ", t.device(), ", not on ", device);
  TORCH_CHECK(t.scalar_type() == type, name, " is of ", t.scalar_type(), ", not of ", type);
  TORCH_CHECK(t.sizes() == sizes, name, " has the shape ", t.sizes(), ", not ", sizes);
  return t.contiguous();
}

at::Device cuda_device_of(const char* name, const at::Tensor& t, int64_t dimensions) {
  TORCH_CHECK(t.defined() && t.is_cuda() && t.dim() == dimensions, name, " is not a tensor of ",
              dimensions, " dimensions on a CUDA device");
  return t.device();
}

cudaStream_t stream_of(at::Device device) {
  return c10::cuda::getCurrentCUDAStream(device.index()).stream();
}

// Bytes of shared memory for a row on the current device, asked for once a device and type.
template <typename Logit>
size_t draw_memory(at::Device device) {
  static std::mutex mutex;
  static std::map<c10::DeviceIndex, size_t> known;
  const std::lock_guard lock(mutex);
  const auto found = known.find(device.index());
  if (found != known.end()) return found->second;
  size_t bytes = 0;
  C10_CUDA_CHECK(allow_draw_memory<Logit>(bytes));
  return known[device.index()] = bytes;
}

int64_t processors(at::Device device) {
  int count = 0;
  C10_CUDA_CHECK(cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, device.index()));
  return std::max(count, 1);
}

template <typename Logit>
at::Tensor draw_as(const RowDrawing& rows, at::ScalarType type, at::Device device) {
  const int64_t count = rows.conditioned.size(0), k = rows.conditioned.size(1);
  const auto logits = [&](const char* name, const at::Tensor& t) {
    return dense(name, t, {count, k}, type, device);
  };
  const auto column = [&](const char* name, const at::Tensor& t, at::ScalarType of) {
    return dense(name, t, {count}, of, device);
  };
  // All of them stay alive until the launch is in the stream; after that the allocator sees to it.
  at::Tensor null, scale, x_t, first, space;
  const at::Tensor conditioned = logits("conditioned", rows.conditioned);
  const at::Tensor second = column("second", rows.second, at::kDouble);
  const at::Tensor result = at::empty({count}, second.options().dtype(at::kLong));

  DrawLaunch<Logit> launch{};
  const auto pointer = [](const at::Tensor& t) {
    return static_cast<const Logit*>(t.const_data_ptr());
  };
  launch.rules = rules_of(rows);
  launch.conditioned = pointer(conditioned);
  if (rows.null.defined()) {
    null = logits("null", rows.null);
    scale = column("scale", rows.scale, at::kDouble);
    launch.null = pointer(null);
    launch.scale = scale.const_data_ptr<double>();
  }
  if (rows.posterior) {
    x_t = column("x_t", rows.x_t, at::kLong);
    first = column("first", rows.first, at::kDouble);
    launch.x_t = x_t.const_data_ptr<int64_t>();
    launch.first = first.const_data_ptr<double>();
  }
  launch.second = second.const_data_ptr<double>();
  launch.result = result.mutable_data_ptr<int64_t>();
  launch.count = count;
  launch.blocks = int64_t{1} << 20;
  if (static_cast<size_t>(k) * sizeof(float) > draw_memory<Logit>(device)) {
    launch.blocks = std::min(count, 4 * processors(device));
    space = at::empty({launch.blocks, k}, second.options().dtype(at::kFloat));
    launch.rows = space.mutable_data_ptr<float>();
  }
  launch_draw(launch, stream_of(device));
  C10_CUDA_KERNEL_LAUNCH_CHECK();
  return result;
}

// ---- graphs

// One for all captures on a device: libraries keep a workspace for every stream they have seen.
c10::cuda::CUDAStream side_stream(at::Device device) {
  static std::mutex mutex;
  static std::map<c10::DeviceIndex, c10::cuda::CUDAStream> known;
  const std::lock_guard lock(mutex);
  const auto found = known.find(device.index());
  if (found != known.end()) return found->second;
  const auto stream = c10::cuda::getStreamFromPool(/*isHighPriority=*/false, device.index());
  known.emplace(device.index(), stream);
  return stream;
}

class CapturedGraph : public DeviceGraph {
 public:
  CapturedGraph(at::Device device, const std::function<void()>& work) : device_(device) {
    const c10::cuda::CUDAGuard on(device);
    const auto outer = c10::cuda::getCurrentCUDAStream(device.index());
    const auto side = side_stream(device);
    wait(side, outer);
    {
      // The warm-up: libraries make their handles and workspaces for this stream, which a capture
      // could not do.
      const c10::cuda::CUDAStreamGuard in(side);
      work();
    }
    wait(outer, side);
    wait(side, outer);
    const c10::cuda::CUDAStreamGuard in(side);
    capture(work);
  }

  void replay() override {
    const c10::cuda::CUDAGuard on(device_);
    graph_.replay();
  }

 private:
  static void wait(const c10::Stream& waits, const c10::Stream& for_this) {
    c10::Event event(c10::DeviceType::CUDA);
    event.record(for_this);
    event.block(waits);
  }

  void capture(const std::function<void()>& work) {
    const auto pool = at::cuda::graph_pool_handle();
    // Other threads may go on allocating meanwhile.
    graph_.capture_begin(pool, cudaStreamCaptureModeThreadLocal);
    try {
      work();
      graph_.capture_end();
    } catch (...) {
      abandon(pool);
      throw;
    }
  }

  // Ends a capture that went wrong, so that the stream and the allocator are as before. Each part
  // may have happened already, which is an error that means nothing here.
  void abandon(const at::cuda::MempoolId_t& pool) noexcept {
    const auto ignoring = [](const auto& step) {
      try {
        step();
      } catch (const std::exception&) {
      }
    };
    ignoring([&] { graph_.capture_end(); });
    ignoring([&] { c10::cuda::CUDACachingAllocator::endAllocateToPool(device_.index(), pool); });
    C10_CUDA_CLEAR_ERROR();
  }

  at::Device device_;
  at::cuda::CUDAGraph graph_;
};

class Plugin : public CudaPlugin {
 public:
  at::Tensor uniforms(uint64_t seed, uint32_t purpose, uint32_t step, const at::Tensor& records,
                      const at::Tensor& positions) const override {
    const at::Device device = cuda_device_of("records", records, 1);
    const c10::cuda::CUDAGuard on(device);
    const int64_t count = records.numel();
    const at::Tensor of_record = dense("records", records, {count}, at::kLong, device);
    const at::Tensor of_position = dense("positions", positions, {count}, at::kLong, device);
    const at::Tensor result = at::empty({2, count}, records.options().dtype(at::kDouble));
    double* const to = result.mutable_data_ptr<double>();
    launch_uniforms({seed, purpose, step, of_record.const_data_ptr<int64_t>(),
                     of_position.const_data_ptr<int64_t>(), to, to + count, count},
                    stream_of(device));
    C10_CUDA_KERNEL_LAUNCH_CHECK();
    return result;
  }

  at::Tensor draw(const RowDrawing& rows) const override {
    const at::Device device = cuda_device_of("conditioned", rows.conditioned, 2);
    const c10::cuda::CUDAGuard on(device);
    const int64_t k = rows.conditioned.size(1);
    TORCH_CHECK(k > 0 && k < 1 << 30, "a row of ", k, " logits");
    const at::ScalarType type = rows.conditioned.scalar_type();
    if (type == at::kFloat) return draw_as<float>(rows, type, device);
    if (type == at::kBFloat16) return draw_as<Bf16Bits>(rows, type, device);
    TORCH_CHECK(type == at::kHalf, "logits of ", type, ", not of fp32, bf16 or fp16");
    return draw_as<Fp16Bits>(rows, type, device);
  }

  at::Tensor add_norm(at::Tensor& x, const at::Tensor& delta, const at::Tensor& gain,
                      const at::Tensor& shift, int64_t rows_each) const override {
    const at::Device device = cuda_device_of("x", x, 2);
    const c10::cuda::CUDAGuard on(device);
    const int64_t rows = x.size(0), width = x.size(1);
    TORCH_CHECK(x.scalar_type() == at::kFloat && x.is_contiguous(), "x is not dense fp32");
    TORCH_CHECK(gain.defined() && gain.dim() == 2 && rows_each > 0 &&
                    gain.size(0) >= (rows + rows_each - 1) / rows_each,
                "too few gains for ", rows, " rows, ", rows_each, " each");
    const int64_t groups = gain.size(0);
    const at::Tensor gains = dense("gain", gain, {groups, width}, at::kFloat, device);
    const at::Tensor shifts = dense("shift", shift, {groups, width}, at::kFloat, device);
    at::Tensor add;
    if (delta.defined()) add = dense("delta", delta, {rows, width}, at::kBFloat16, device);
    const at::Tensor result = at::empty({rows, width}, x.options().dtype(at::kBFloat16));
    NormLaunch launch{};
    launch.x = x.mutable_data_ptr<float>();
    if (add.defined()) launch.delta = static_cast<const Bf16Bits*>(add.const_data_ptr());
    launch.gain = gains.const_data_ptr<float>();
    launch.shift = shifts.const_data_ptr<float>();
    launch.to = static_cast<Bf16Bits*>(result.mutable_data_ptr());
    launch.rows = rows;
    launch.width = width;
    launch.rows_each = rows_each;
    launch_add_norm(launch, stream_of(device));
    C10_CUDA_KERNEL_LAUNCH_CHECK();
    return result;
  }

  std::unique_ptr<DeviceGraph> capture(at::Device device,
                                       const std::function<void()>& work) const override {
    TORCH_CHECK(device.is_cuda() && device.has_index(), device, " is not a CUDA device by number");
    return std::make_unique<CapturedGraph>(device, work);
  }
};

}  // namespace
}  // namespace vq

extern "C" __attribute__((visibility("default"))) const char* vq_cuda_plugin_abi() {
  return vq::kCudaPluginAbi;
}

extern "C" __attribute__((visibility("default"))) const vq::CudaPlugin* vq_cuda_plugin() {
  static const vq::Plugin plugin;
  return &plugin;
}
