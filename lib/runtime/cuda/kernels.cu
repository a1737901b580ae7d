#include <algorithm>

#include "lib/philox.h"
#include "lib/runtime/cuda/kernels.h"
#include "lib/runtime/cuda/norm_row.h"

namespace vq {
namespace {

constexpr int kThreads = 256;
constexpr size_t kPlainShared = 48 << 10;  // what every device gives without asking

// The block that a kernel runs in. Its threads are a whole number of warps.
struct DeviceBlock {
  __device__ int thread() const { return static_cast<int>(threadIdx.x); }
  __device__ int threads() const { return static_cast<int>(blockDim.x); }
  __device__ int lanes() const { return 32; }
  template <typename Value>
  __device__ Value from_lane(Value value, int lane) const {
    return __shfl_sync(0xffffffffu, value, lane);
  }
  __device__ void sync() const { __syncthreads(); }
};

int blocks_for(int64_t work, int64_t most) {
  return static_cast<int>(std::max<int64_t>(1, std::min(work, most)));
}

__global__ void uniforms_kernel(const UniformsLaunch what) {
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t n = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; n < what.count;
       n += step) {
    const PhiloxWords bits =
        philox_words(what.seed, noise_counter(what.purpose, static_cast<uint64_t>(what.records[n]),
                                              what.step, static_cast<uint32_t>(what.positions[n])));
    what.first[n] = first_uniform(bits);
    what.second[n] = second_uniform(bits);
  }
}

extern __shared__ float shared_row[];

template <typename Logit>
__global__ void __launch_bounds__(kThreads) draw_kernel(const DrawLaunch<Logit> what) {
  __shared__ BlockScratch scratch;
  const DeviceBlock block;
  const int64_t k = what.rules.tokens;
  float* const row =
      what.rows != nullptr ? what.rows + static_cast<int64_t>(blockIdx.x) * k : shared_row;
  RowDrawer<DeviceBlock> drawer(block, scratch, row, what.rules);
  // The same rows for all threads of the block: they meet at every sync.
  for (int64_t n = blockIdx.x; n < what.count; n += gridDim.x) {
    DrawRow<Logit> from{};
    from.conditioned = what.conditioned + n * k;
    from.scale = 1;
    if (what.null != nullptr) {
      from.null = what.null + n * k;
      from.scale = static_cast<float>(what.scale[n]);
    }
    if (what.rules.posterior) {
      from.here = what.x_t[n];
      from.first = what.first[n];
    }
    from.second = what.second[n];
    drawer.draw(from, what.result + n);
  }
}

__global__ void __launch_bounds__(kThreads) norm_kernel(const NormLaunch what, const bool shared) {
  __shared__ BlockScratch scratch;
  const DeviceBlock block;
  Together<DeviceBlock> all(block, scratch);
  for (int64_t n = blockIdx.x; n < what.rows; n += gridDim.x) {
    const int64_t at = n * what.width, group = n / what.rows_each * what.width;
    float* const x = what.x + at;
    add_norm_one(all, shared ? shared_row : x,
                 NormRow{x, what.delta == nullptr ? nullptr : what.delta + at, what.gain + group,
                         what.shift + group, what.to + at, what.width});
  }
}

}  // namespace

void launch_uniforms(const UniformsLaunch& what, cudaStream_t stream) {
  if (what.count <= 0) return;
  const int blocks = blocks_for((what.count + kThreads - 1) / kThreads, 1 << 16);
  uniforms_kernel<<<blocks, kThreads, 0, stream>>>(what);
}

template <typename Logit>
void launch_draw(const DrawLaunch<Logit>& what, cudaStream_t stream) {
  if (what.count <= 0) return;
  const size_t bytes =
      what.rows != nullptr ? 0 : static_cast<size_t>(what.rules.tokens) * sizeof(float);
  draw_kernel<Logit><<<blocks_for(what.count, what.blocks), kThreads, bytes, stream>>>(what);
}

template <typename Logit>
cudaError_t allow_draw_memory(size_t& bytes) {
  bytes = 0;
  int device = 0, most = 0;
  cudaFuncAttributes kernel{};
  cudaError_t error = cudaGetDevice(&device);
  if (error == cudaSuccess) {
    error = cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, device);
  }
  if (error == cudaSuccess) error = cudaFuncGetAttributes(&kernel, draw_kernel<Logit>);
  if (error != cudaSuccess) return error;
  const auto limit = static_cast<size_t>(std::max(most, 0));
  if (limit <= kernel.sharedSizeBytes) return cudaSuccess;
  const size_t free = limit - kernel.sharedSizeBytes;
  error = cudaFuncSetAttribute(draw_kernel<Logit>, cudaFuncAttributeMaxDynamicSharedMemorySize,
                               static_cast<int>(free));
  if (error == cudaSuccess) bytes = free;
  return error;
}

void launch_add_norm(const NormLaunch& what, cudaStream_t stream) {
  if (what.rows <= 0 || what.width <= 0) return;
  const size_t bytes = static_cast<size_t>(what.width) * sizeof(float);
  const bool shared = bytes <= kPlainShared - sizeof(BlockScratch);
  norm_kernel<<<blocks_for(what.rows, 1 << 20), kThreads, shared ? bytes : 0, stream>>>(what,
                                                                                        shared);
}

template void launch_draw(const DrawLaunch<float>&, cudaStream_t);
template void launch_draw(const DrawLaunch<Bf16Bits>&, cudaStream_t);
template void launch_draw(const DrawLaunch<Fp16Bits>&, cudaStream_t);
template cudaError_t allow_draw_memory<float>(size_t&);
template cudaError_t allow_draw_memory<Bf16Bits>(size_t&);
template cudaError_t allow_draw_memory<Fp16Bits>(size_t&);

}  // namespace vq
