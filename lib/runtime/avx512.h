// Marks functions that are compiled for processors with AVX512_BF16 whatever the rest is compiled
// for; has_avx512_bf16() says at run time whether they may be called. Internal to lib/runtime.
#pragma once

#if defined(__x86_64__)
#include <immintrin.h>
#define VQ_AVX512_TARGET target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")
#define VQ_AVX512 __attribute__((VQ_AVX512_TARGET, always_inline)) inline
#define VQ_AVX512_ENTRY __attribute__((VQ_AVX512_TARGET))
#endif

namespace vq {

inline bool has_avx512_bf16() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
#else
  return false;
#endif
}

}  // namespace vq
