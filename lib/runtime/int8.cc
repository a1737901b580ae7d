#include "lib/runtime/int8.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/silu.h>

#include <algorithm>

#include "lib/runtime/avx512.h"
#include "lib/runtime/parallel.h"

namespace vq {
namespace {

constexpr float kLargest = 127;
// A row of zeros has scale zero times anything; this keeps the division whole.
constexpr float kTiny = 1e-30F;

#if defined(__x86_64__)

constexpr int64_t kLanes = 16;

const uint16_t* bits(const at::Tensor& x) {
  return reinterpret_cast<const uint16_t*>(x.const_data_ptr<at::BFloat16>());
}

VQ_AVX512 __mmask16 lanes(int64_t left) {
  return static_cast<__mmask16>(left >= kLanes ? 0xffff : (1u << left) - 1);
}

VQ_AVX512 __m512 widened(const uint16_t* x, __mmask16 on) {
  const __m512i half = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(on, x));
  return _mm512_castsi512_ps(_mm512_slli_epi32(half, 16));
}

VQ_AVX512_ENTRY float round_row(const uint16_t* x, int8_t* to, int64_t width) {
  __m512 largest = _mm512_setzero_ps();
  for (int64_t i = 0; i < width; i += kLanes)
    largest = _mm512_max_ps(largest, _mm512_abs_ps(widened(x + i, lanes(width - i))));
  const float scale = std::max(_mm512_reduce_max_ps(largest) / kLargest, kTiny);
  const __m512 factor = _mm512_set1_ps(1 / scale);
  for (int64_t i = 0; i < width; i += kLanes) {
    const __mmask16 on = lanes(width - i);
    const __m512i whole = _mm512_cvtps_epi32(_mm512_mul_ps(widened(x + i, on), factor));
    _mm512_mask_cvtsepi32_storeu_epi8(to + i, on, whole);
  }
  return scale;
}

// e^-z for a sigmoid, good to bf16's rounding: 2^round times the Taylor series of the rest.
VQ_AVX512 __m512 sigmoid(__m512 z) {
  const __m512 x =
      _mm512_mul_ps(_mm512_max_ps(_mm512_min_ps(z, _mm512_set1_ps(60)), _mm512_set1_ps(-60)),
                    _mm512_set1_ps(-1.44269504F));
  const __m512 whole = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const __m512 rest = _mm512_sub_ps(x, whole);
  __m512 y = _mm512_set1_ps(9.6181291e-3F);
  y = _mm512_fmadd_ps(y, rest, _mm512_set1_ps(5.5504109e-2F));
  y = _mm512_fmadd_ps(y, rest, _mm512_set1_ps(2.4022651e-1F));
  y = _mm512_fmadd_ps(y, rest, _mm512_set1_ps(6.9314718e-1F));
  y = _mm512_fmadd_ps(y, rest, _mm512_set1_ps(1.0F));
  return _mm512_div_ps(_mm512_set1_ps(1),
                       _mm512_add_ps(_mm512_set1_ps(1), _mm512_scalef_ps(y, whole)));
}

VQ_AVX512_ENTRY void scale_row(const int32_t* sums, float row, const float* column,
                               const float* bias, bool swish, uint16_t* to, int64_t width) {
  const __m512 factor = _mm512_set1_ps(row);
  for (int64_t i = 0; i < width; i += kLanes) {
    const __mmask16 on = lanes(width - i);
    const __m512 sum = _mm512_cvtepi32_ps(_mm512_maskz_loadu_epi32(on, sums + i));
    const __m512 scale = _mm512_mul_ps(factor, _mm512_maskz_loadu_ps(on, column + i));
    __m512 z = _mm512_fmadd_ps(sum, scale, _mm512_maskz_loadu_ps(on, bias + i));
    if (swish) z = _mm512_mul_ps(z, sigmoid(z));
    _mm256_mask_storeu_epi16(to + i, on, reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(z)));
  }
}

#endif

}  // namespace

RoundedRows round_rows(const at::Tensor& given) {
#if defined(__x86_64__)
  if (has_avx512_bf16() && given.is_cpu()) {
    const at::Tensor x = given.contiguous();
    const int64_t width = x.size(1);
    const RoundedRows rounded{at::empty(x.sizes(), x.options().dtype(at::kChar)),
                              at::empty({x.size(0)}, x.options().dtype(at::kFloat))};
    auto* values = rounded.values.mutable_data_ptr<int8_t>();
    auto* scale = rounded.scale.mutable_data_ptr<float>();
    const uint16_t* from = bits(x);
    in_shares(x.size(0), 16, [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n)
        scale[n] = round_row(from + n * width, values + n * width, width);
    });
    return rounded;
  }
#endif
  return round_rows_plain(given);
}

RoundedRows round_rows_plain(const at::Tensor& x) {
  const at::Tensor whole = x.to(at::kFloat);
  const at::Tensor scale = (whole.abs().amax(1) / kLargest).clamp_min(kTiny);
  return {(whole * (1 / scale).unsqueeze(1)).round().to(at::kChar), scale};
}

at::Tensor scaled_sums(const at::Tensor& sums, const at::Tensor& row, const at::Tensor& column,
                       const at::Tensor& bias, bool swish) {
#if defined(__x86_64__)
  if (has_avx512_bf16() && sums.is_cpu() && sums.is_contiguous()) {
    const int64_t width = sums.size(1);
    const at::Tensor result = at::empty(sums.sizes(), sums.options().dtype(at::kBFloat16));
    auto* to = reinterpret_cast<uint16_t*>(result.mutable_data_ptr<at::BFloat16>());
    const auto* from = sums.const_data_ptr<int32_t>();
    const auto* rows = row.const_data_ptr<float>();
    const auto* columns = column.const_data_ptr<float>();
    const auto* add = bias.const_data_ptr<float>();
    in_shares(sums.size(0), 16, [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n)
        scale_row(from + n * width, rows[n], columns, add, swish, to + n * width, width);
    });
    return result;
  }
#endif
  return scaled_sums_plain(sums, row, column, bias, swish);
}

at::Tensor scaled_sums_plain(const at::Tensor& sums, const at::Tensor& row,
                             const at::Tensor& column, const at::Tensor& bias, bool swish) {
  const at::Tensor z = sums.to(at::kFloat) * (row.unsqueeze(1) * column) + bias;
  return (swish ? at::silu(z) : z).to(at::kBFloat16);
}

}  // namespace vq
