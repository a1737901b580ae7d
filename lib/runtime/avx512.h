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

// Lanes that are on are read, the others are zero; or written, the others left as they are. What is
// bf16 in memory is fp32 in the vector. A masked store takes several times as long as a whole one,
// so it is kept for where it is needed.
VQ_AVX512 __m512 load_fp32(const float* x, __mmask16 on) { return _mm512_maskz_loadu_ps(on, x); }
VQ_AVX512 void store_fp32(float* to, __mmask16 on, __m512 x) {
  if (on == 0xffff)
    _mm512_storeu_ps(to, x);
  else
    _mm512_mask_storeu_ps(to, on, x);
}
VQ_AVX512 __m512 load_bf16(const uint16_t* x, __mmask16 on) {
  const __m512i half = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(on, x));
  return _mm512_castsi512_ps(_mm512_slli_epi32(half, 16));
}
VQ_AVX512 void store_bf16(uint16_t* to, __mmask16 on, __m512 x) {
  const auto half = reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(x));
  if (on == 0xffff)
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), half);
  else
    _mm256_mask_storeu_epi16(to, on, half);
}

// 2^x: a cubic in x's distance from the whole number below it, off by 8e-5 of the value at most
// (the smallest that a cubic can be), far below bf16's 4e-3.
VQ_AVX512 __m512 exp2_cubic(__m512 x) {
  const __m512 rest = _mm512_reduce_ps(x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
  __m512 y = _mm512_set1_ps(7.8024521e-2F);
  y = _mm512_fmadd_ps(y, rest, _mm512_set1_ps(2.2606716e-1F));
  y = _mm512_fmadd_ps(y, rest, _mm512_set1_ps(6.9583356e-1F));
  y = _mm512_fmadd_ps(y, rest, _mm512_set1_ps(9.9992520e-1F));
  return _mm512_scalef_ps(y, x);
}

// z sigmoid(z) for a result in bf16: the sigmoid off by 2e-4 of itself at most.
VQ_AVX512 __m512 swish_bf16(__m512 z) {
  const __m512 power = exp2_cubic(_mm512_mul_ps(z, _mm512_set1_ps(-1.44269504F)));
  return _mm512_mul_ps(z, _mm512_rcp14_ps(_mm512_add_ps(_mm512_set1_ps(1), power)));
}

// The same for one in fp32: the sigmoid off by 4e-7 at most. e^-z is 2^whole times the Taylor
// series of the rest, whose first term left out is 1e-7; a step of Newton's makes the reciprocal
// exact.
VQ_AVX512 __m512 swish(__m512 z) {
  const __m512 one = _mm512_set1_ps(1);
  const __m512 x =
      _mm512_mul_ps(_mm512_max_ps(_mm512_min_ps(z, _mm512_set1_ps(80)), _mm512_set1_ps(-80)),
                    _mm512_set1_ps(-1.44269504F));
  const __m512 rest = _mm512_reduce_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  __m512 y = _mm512_set1_ps(1.5403530e-4F);
  y = _mm512_fmadd_ps(y, rest, _mm512_set1_ps(1.3333558e-3F));
  y = _mm512_fmadd_ps(y, rest, _mm512_set1_ps(9.6181291e-3F));
  y = _mm512_fmadd_ps(y, rest, _mm512_set1_ps(5.5504109e-2F));
  y = _mm512_fmadd_ps(y, rest, _mm512_set1_ps(2.4022651e-1F));
  y = _mm512_fmadd_ps(y, rest, _mm512_set1_ps(6.9314718e-1F));
  y = _mm512_fmadd_ps(y, rest, one);
  const __m512 sum = _mm512_add_ps(one, _mm512_scalef_ps(y, _mm512_sub_ps(x, rest)));
  const __m512 about = _mm512_rcp14_ps(sum);
  const __m512 off = _mm512_fnmadd_ps(sum, about, one);
  return _mm512_mul_ps(z, _mm512_fmadd_ps(about, off, about));
}

#endif

}  // namespace vq
