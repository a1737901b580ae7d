// Marks functions that are compiled for processors with AVX512_BF16 whatever the rest is compiled
// for; has_avx512_bf16() says at run time whether they may be called. Internal to lib/runtime.
#pragma once

#if defined(__x86_64__)
#include <immintrin.h>
#define VQ_AVX512_TARGET target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")
#define VQ_AVX512 __attribute__((VQ_AVX512_TARGET, always_inline)) inline
#define VQ_AVX512_ENTRY __attribute__((VQ_AVX512_TARGET))
#endif

#include <cstdint>

namespace vq {

inline bool has_avx512_bf16() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
#else
  return false;
#endif
}

#if defined(__x86_64__)

constexpr int64_t kAvx512Lanes = 16;

// The first `left` of 16 lanes.
VQ_AVX512 __mmask16 first_lanes(int64_t left) {
  return static_cast<__mmask16>(left >= kAvx512Lanes ? 0xffff : (1u << left) - 1);
}

// Lanes that are on of bf16 numbers as floats, the others zero; and floats as bf16.
VQ_AVX512 __m512 load_bf16(const uint16_t* x, __mmask16 on) {
  const __m512i half = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(on, x));
  return _mm512_castsi512_ps(_mm512_slli_epi32(half, 16));
}
VQ_AVX512 void store_bf16(uint16_t* to, __mmask16 on, __m512 x) {
  _mm256_mask_storeu_epi16(to, on, reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(x)));
}

// z sigmoid(z), the sigmoid off by 4e-7 at most. e^-z is 2^whole times the Taylor series of the
// rest, whose first term left out is 3e-9.
VQ_AVX512 __m512 swish(__m512 z) {
  const __m512 x =
      _mm512_mul_ps(_mm512_max_ps(_mm512_min_ps(z, _mm512_set1_ps(80)), _mm512_set1_ps(-80)),
                    _mm512_set1_ps(-1.44269504F));
  const __m512 whole = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const __m512 rest = _mm512_sub_ps(x, whole);
  __m512 y = _mm512_set1_ps(1.5252734e-5F);
  y = _mm512_fmadd_ps(y, rest, _mm512_set1_ps(1.5403530e-4F));
  y = _mm512_fmadd_ps(y, rest, _mm512_set1_ps(1.3333558e-3F));
  y = _mm512_fmadd_ps(y, rest, _mm512_set1_ps(9.6181291e-3F));
  y = _mm512_fmadd_ps(y, rest, _mm512_set1_ps(5.5504109e-2F));
  y = _mm512_fmadd_ps(y, rest, _mm512_set1_ps(2.4022651e-1F));
  y = _mm512_fmadd_ps(y, rest, _mm512_set1_ps(6.9314718e-1F));
  y = _mm512_fmadd_ps(y, rest, _mm512_set1_ps(1.0F));
  return _mm512_div_ps(z, _mm512_add_ps(_mm512_set1_ps(1), _mm512_scalef_ps(y, whole)));
}

#endif

}  // namespace vq
