#include "lib/runtime/int8.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/_int_mm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/silu.h>

#include <algorithm>

#include "lib/runtime/avx512.h"
#include "lib/runtime/parallel.h"

namespace vq {
namespace {

constexpr float kLargest = 127;
constexpr int64_t kRowsOfSums = 256;
// A row of zeros has scale zero times anything; this keeps the division whole.
constexpr float kTiny = 1e-30F;

#if defined(__x86_64__)

constexpr int64_t kLanes = kAvx512Lanes;

const uint16_t* bits(const at::Tensor& x) {
  return reinterpret_cast<const uint16_t*>(x.const_data_ptr<at::BFloat16>());
}

VQ_AVX512_ENTRY float round_row(const uint16_t* x, int8_t* to, int64_t width) {
  __m512 largest = _mm512_setzero_ps();
  for (int64_t i = 0; i < width; i += kLanes)
    largest = _mm512_max_ps(largest, _mm512_abs_ps(load_bf16(x + i, first_lanes(width - i))));
  const float scale = std::max(_mm512_reduce_max_ps(largest) / kLargest, kTiny);
  const __m512 factor = _mm512_set1_ps(1 / scale);
  for (int64_t i = 0; i < width; i += kLanes) {
    const __mmask16 on = first_lanes(width - i);
    const __m512i whole = _mm512_cvtps_epi32(_mm512_mul_ps(load_bf16(x + i, on), factor));
    if (on == 0xffff)
      _mm_storeu_si128(reinterpret_cast<__m128i*>(to + i), _mm512_cvtsepi32_epi8(whole));
    else
      _mm512_mask_cvtsepi32_storeu_epi8(to + i, on, whole);
  }
  return scale;
}

VQ_AVX512_ENTRY void scale_row(const int32_t* sums, float row, const float* column,
                               const float* bias, bool activated, uint16_t* to, int64_t width) {
  const __m512 factor = _mm512_set1_ps(row);
  for (int64_t i = 0; i < width; i += kLanes) {
    const __mmask16 on = first_lanes(width - i);
    const __m512 sum = _mm512_cvtepi32_ps(_mm512_maskz_loadu_epi32(on, sums + i));
    const __m512 scale = _mm512_mul_ps(factor, load_fp32(column + i, on));
    __m512 z = _mm512_fmadd_ps(sum, scale, load_fp32(bias + i, on));
    if (activated) z = swish_bf16(z);
    store_bf16(to + i, on, z);
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

void scaled_sums(const at::Tensor& sums, const at::Tensor& row, const at::Tensor& column,
                 const at::Tensor& bias, bool swish, at::Tensor& result) {
#if defined(__x86_64__)
  if (has_avx512_bf16() && sums.is_cpu() && sums.is_contiguous() && result.is_contiguous()) {
    const int64_t width = sums.size(1);
    auto* to = reinterpret_cast<uint16_t*>(result.mutable_data_ptr<at::BFloat16>());
    const auto* from = sums.const_data_ptr<int32_t>();
    const auto* rows = row.const_data_ptr<float>();
    const auto* columns = column.const_data_ptr<float>();
    const auto* add = bias.const_data_ptr<float>();
    in_shares(sums.size(0), 16, [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n)
        scale_row(from + n * width, rows[n], columns, add, swish, to + n * width, width);
    });
    return;
  }
#endif
  result.copy_(scaled_sums_plain(sums, row, column, bias, swish));
}

at::Tensor scaled_sums_plain(const at::Tensor& sums, const at::Tensor& row,
                             const at::Tensor& column, const at::Tensor& bias, bool swish) {
  const at::Tensor z = sums.to(at::kFloat) * (row.unsqueeze(1) * column) + bias;
  return (swish ? at::silu(z) : z).to(at::kBFloat16);
}

at::Tensor product_of_rounded(const at::Tensor& x, const RoundedRows& weight,
                              const at::Tensor& bias, bool swish) {
  const RoundedRows rows = round_rows(x);
  const int64_t count = x.size(0), outputs = weight.values.size(0);
  const int64_t together = std::min(count, kRowsOfSums);
  const at::Tensor sums = at::empty({together, outputs}, x.options().dtype(at::kInt));
  const at::Tensor result = at::empty({count, outputs}, x.options());
  for (int64_t first = 0; first < count; first += together) {
    const int64_t some = std::min(together, count - first);
    at::Tensor these = sums.narrow(0, 0, some), to = result.narrow(0, first, some);
    at::_int_mm_out(these, rows.values.narrow(0, first, some), weight.values.t());
    scaled_sums(these, rows.scale.narrow(0, first, some), weight.scale, bias, swish, to);
  }
  return result;
}

}  // namespace vq
