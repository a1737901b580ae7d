#include "lib/runtime/round_bf16.h"

#include <ATen/TensorOperators.h>

#include "lib/runtime/avx512.h"
#include "lib/runtime/parallel.h"

namespace vq {
namespace {

#if defined(__x86_64__)

VQ_AVX512_ENTRY void round_times(const float* from, float factor, uint16_t* to, int64_t n) {
  const __m512 factors = _mm512_set1_ps(factor);
  for (int64_t i = 0; i < n; i += kAvx512Lanes) {
    const __mmask16 on = first_lanes(n - i);
    store_bf16(to + i, on, _mm512_mul_ps(load_fp32(from + i, on), factors));
  }
}

#endif

}  // namespace

void round_bf16(const at::Tensor& from, double factor, at::Tensor& to) {
#if defined(__x86_64__)
  if (has_avx512_bf16() && from.is_cpu() && from.is_contiguous() &&
      from.scalar_type() == at::kFloat) {
    const auto* in = from.const_data_ptr<float>();
    auto* out = reinterpret_cast<uint16_t*>(to.mutable_data_ptr<at::BFloat16>());
    in_shares(from.numel(), 1 << 16, [&](int64_t begin, int64_t end) {
      round_times(in + begin, static_cast<float>(factor), out + begin, end - begin);
    });
    return;
  }
#endif
  round_bf16_plain(from, factor, to);
}

void round_bf16_plain(const at::Tensor& from, double factor, at::Tensor& to) {
  to.copy_(factor == 1 ? from : from * factor);
}

}  // namespace vq
