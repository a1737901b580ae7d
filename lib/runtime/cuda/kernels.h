// The kernels of the plugin, as functions that put one launch into a stream. Pointers are of the
// device that the stream belongs to; arrays lie densely, row by row. No LibTorch here: these
// compile in seconds. Whether a launch went well, cudaGetLastError() says.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>

#include "lib/runtime/cuda/draw_row.h"
#include "lib/runtime/cuda/floats.h"

namespace vq {

// first[n], second[n] of n < count.
struct UniformsLaunch {
  uint64_t seed;
  uint32_t purpose, step;
  const int64_t *records, *positions;
  double *first, *second;
  int64_t count;
};
void launch_uniforms(const UniformsLaunch& what, cudaStream_t stream);

// result[n] of n < count, from rows n of (count, K) logits.
template <typename Logit>
struct DrawLaunch {
  DrawRules rules;
  const Logit *conditioned, *null;  // null: nullptr for none
  const double* scale;              // nullptr with null
  const int64_t* x_t;               // with posterior
  const double *first, *second;     // first with posterior
  int64_t* result;
  int64_t count;
  float* rows;     // (blocks, K) to work in, or nullptr: in shared memory
  int64_t blocks;  // as many as rows has; at most INT32_MAX
};
template <typename Logit>
void launch_draw(const DrawLaunch<Logit>& what, cudaStream_t stream);

// Bytes of shared memory that a block of launch_draw can have for its row on the current device.
// Also allows it to: to be called once a device before launching.
template <typename Logit>
cudaError_t allow_draw_memory(size_t& bytes);

struct NormLaunch {
  float* x;
  const Bf16Bits* delta;  // or nullptr
  const float *gain, *shift;
  Bf16Bits* to;
  int64_t rows, width, rows_each;
};
void launch_add_norm(const NormLaunch& what, cudaStream_t stream);

}  // namespace vq
