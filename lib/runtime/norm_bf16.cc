#include "lib/runtime/norm_bf16.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/repeat_interleave.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <cmath>

#include "lib/runtime/avx512.h"
#include "lib/runtime/parallel.h"

namespace vq {
namespace {

constexpr double kEpsilon = 1e-5;

#if defined(__x86_64__)

constexpr int64_t kLanes = kAvx512Lanes;

// x += delta; the row's sum.
VQ_AVX512 float add_row(float* x, const uint16_t* delta, int64_t width) {
  __m512 sum = _mm512_setzero_ps();
  for (int64_t i = 0; i < width; i += kLanes) {
    const __mmask16 on = first_lanes(width - i);
    __m512 value = load_fp32(x + i, on);
    if (delta != nullptr) {
      value = _mm512_add_ps(value, load_bf16(delta + i, on));
      store_fp32(x + i, on, value);
    }
    sum = _mm512_add_ps(sum, value);
  }
  return _mm512_reduce_add_ps(sum);
}

VQ_AVX512 float squares(const float* x, float mean, int64_t width) {
  const __m512 middle = _mm512_set1_ps(mean);
  __m512 sum = _mm512_setzero_ps();
  for (int64_t i = 0; i < width; i += kLanes) {
    const __mmask16 on = first_lanes(width - i);
    const __m512 off = _mm512_maskz_sub_ps(on, load_fp32(x + i, on), middle);
    sum = _mm512_fmadd_ps(off, off, sum);
  }
  return _mm512_reduce_add_ps(sum);
}

VQ_AVX512_ENTRY void add_norm_row(float* x, const uint16_t* delta, const float* gain,
                                  const float* shift, uint16_t* to, int64_t width) {
  const float mean = add_row(x, delta, width) / static_cast<float>(width);
  const float variance = squares(x, mean, width) / static_cast<float>(width);
  const __m512 factor = _mm512_set1_ps(1 / std::sqrt(variance + static_cast<float>(kEpsilon)));
  const __m512 middle = _mm512_set1_ps(mean);
  for (int64_t i = 0; i < width; i += kLanes) {
    const __mmask16 on = first_lanes(width - i);
    const __m512 y = _mm512_mul_ps(_mm512_sub_ps(load_fp32(x + i, on), middle), factor);
    const __m512 z = _mm512_fmadd_ps(y, load_fp32(gain + i, on), load_fp32(shift + i, on));
    store_bf16(to + i, on, z);
  }
}

at::Tensor add_norm(at::Tensor& x, const at::Tensor& delta, const NormScale& scale) {
  const int64_t width = x.size(1);
  const at::Tensor result = at::empty(x.sizes(), x.options().dtype(at::kBFloat16));
  const auto bits = [](const at::Tensor& t) {
    return reinterpret_cast<const uint16_t*>(t.const_data_ptr<at::BFloat16>());
  };
  auto* values = x.mutable_data_ptr<float>();
  auto* to = reinterpret_cast<uint16_t*>(result.mutable_data_ptr<at::BFloat16>());
  const uint16_t* add = delta.defined() ? bits(delta) : nullptr;
  const auto* gain = scale.gain.const_data_ptr<float>();
  const auto* shift = scale.shift.const_data_ptr<float>();
  in_shares(x.size(0), 16, [&](int64_t begin, int64_t end) {
    auto group =
        std::upper_bound(scale.first.begin(), scale.first.end(), begin) - scale.first.begin() - 1;
    for (int64_t row = begin; row < end; ++row) {
      while (scale.first[group + 1] <= row) ++group;
      add_norm_row(values + row * width, add == nullptr ? nullptr : add + row * width,
                   gain + group * width, shift + group * width, to + row * width, width);
    }
  });
  return result;
}

#endif

}  // namespace

at::Tensor add_norm_bf16(at::Tensor& x, const at::Tensor& delta, const NormScale& scale) {
#if defined(__x86_64__)
  if (has_avx512_bf16() && x.is_cpu() && x.is_contiguous() &&
      (!delta.defined() || delta.is_contiguous()) && scale.gain.is_contiguous() &&
      scale.shift.is_contiguous()) {
    return add_norm(x, delta, scale);
  }
#endif
  return add_norm_plain(x, delta, scale);
}

at::Tensor add_norm_plain(at::Tensor& x, const at::Tensor& delta, const NormScale& scale) {
  if (delta.defined()) x.add_(delta);
  std::vector<int64_t> counts;
  for (size_t g = 0; g + 1 < scale.first.size(); ++g)
    counts.push_back(scale.first[g + 1] - scale.first[g]);
  const at::Tensor repeat = at::tensor(counts, at::kLong).to(x.device());
  const auto spread = [&](const at::Tensor& rows) { return rows.repeat_interleave(repeat, 0); };
  const at::Tensor norm = at::layer_norm(x, {x.size(1)}, {}, {}, kEpsilon);
  return (norm * spread(scale.gain) + spread(scale.shift)).to(at::kBFloat16);
}

}  // namespace vq
