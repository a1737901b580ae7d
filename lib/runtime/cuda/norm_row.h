// One row of add_norm_plain (norm_bf16.h), by the threads of one block:
//
//   x            (D) fp32, changes: x += delta
//   delta        (D) bf16, or nullptr: nothing is added
//   gain, shift  (D) fp32
//   to           (D) bf16 = (x - mean) / sqrt(variance + 1e-5) * gain + shift
//
// `row` has room for D numbers that all threads reach, or is x. (norm_row_test.cc)
#pragma once

#include <cmath>
#include <cstdint>

#include "lib/runtime/cuda/block.h"
#include "lib/runtime/cuda/floats.h"

namespace vq {

struct NormRow {
  float* x;
  const Bf16Bits* delta;
  const float *gain, *shift;
  Bf16Bits* to;
  int64_t width;  // D
};

// Each thread has its own numbers of the row, so nothing but the two sums makes it wait.
template <typename Block>
VQ_HOST_DEVICE void add_norm_one(Together<Block>& all, float* row, const NormRow& of) {
  const int64_t first = all.thread(), step = all.threads();
  const auto width = static_cast<double>(of.width);
  double sum = 0;
  for (int64_t i = first; i < of.width; i += step) {
    float x = of.x[i];
    if (of.delta != nullptr) {
      x += to_float(of.delta[i]);
      of.x[i] = x;
    }
    row[i] = x;
    sum += x;
  }
  const auto mean = static_cast<float>(all.sum(sum) / width);
  double squares = 0;
  for (int64_t i = first; i < of.width; i += step) {
    const float off = row[i] - mean;
    squares += off * off;
  }
  const auto variance = static_cast<float>(all.sum(squares) / width);
  const float factor = 1 / sqrtf(variance + 1e-5f);
  for (int64_t i = first; i < of.width; i += step)
    of.to[i] = to_bf16((row[i] - mean) * factor * of.gain[i] + of.shift[i]);
}

}  // namespace vq
