#include "lib/runtime/group_norm.h"

#include <ATen/ops/empty_like.h>
#include <ATen/ops/group_norm.h>
#include <ATen/ops/silu.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "lib/runtime/avx512.h"
#include "lib/runtime/parallel.h"

namespace vq {
namespace {

// Positions summed in fp32 before doubles take over.
constexpr int64_t kChunk = 64;

struct Shape {
  int64_t batch, channels, positions, groups;
  int64_t chunks() const { return (positions + kChunk - 1) / kChunk; }
  int64_t per_group() const { return channels / groups; }
};

// A number for each channel of one picture.
struct Scale {
  const float *mean, *gain, *shift;
};

// What is done to `count` rows of `channels` numbers that lie one behind the other: sums over the
// rows added to `sum`, and the rows normalised. Twice, for any processor and for AVX-512.
template <typename T>
struct Plain {
  static void add(const T* x, int64_t count, int64_t channels, float* sum) {
    for (int64_t p = 0; p < count; ++p)
      for (int64_t c = 0; c < channels; ++c) sum[c] += static_cast<float>(x[p * channels + c]);
  }
  static void add_squares(const T* x, int64_t count, int64_t channels, const float* mean,
                          float* sum) {
    for (int64_t p = 0; p < count; ++p) {
      for (int64_t c = 0; c < channels; ++c) {
        const float off = static_cast<float>(x[p * channels + c]) - mean[c];
        sum[c] += off * off;
      }
    }
  }
  static void normalise(const T* x, int64_t count, int64_t channels, const Scale& by,
                        bool activated, T* to) {
    for (int64_t p = 0; p < count; ++p) {
      for (int64_t c = 0; c < channels; ++c) {
        const int64_t i = p * channels + c;
        const float y = (static_cast<float>(x[i]) - by.mean[c]) * by.gain[c] + by.shift[c];
        to[i] = static_cast<T>(activated ? y / (1 + std::exp(-y)) : y);
      }
    }
  }
};

#if defined(__x86_64__)

VQ_AVX512 __m512 load(const float* x, __mmask16 on) { return _mm512_maskz_loadu_ps(on, x); }
VQ_AVX512 __m512 load(const at::BFloat16* x, __mmask16 on) {
  return load_bf16(reinterpret_cast<const uint16_t*>(x), on);
}
VQ_AVX512 void store(float* to, __mmask16 on, __m512 x) { _mm512_mask_storeu_ps(to, on, x); }
VQ_AVX512 void store(at::BFloat16* to, __mmask16 on, __m512 x) {
  store_bf16(reinterpret_cast<uint16_t*>(to), on, x);
}

template <typename T>
struct Avx512 {
  VQ_AVX512_ENTRY static void add(const T* x, int64_t count, int64_t channels, float* sum) {
    for (int64_t c = 0; c < channels; c += kAvx512Lanes) {
      const __mmask16 on = first_lanes(channels - c);
      __m512 total = load(sum + c, on);
      for (int64_t p = 0; p < count; ++p)
        total = _mm512_add_ps(total, load(x + p * channels + c, on));
      store(sum + c, on, total);
    }
  }
  VQ_AVX512_ENTRY static void add_squares(const T* x, int64_t count, int64_t channels,
                                          const float* mean, float* sum) {
    for (int64_t c = 0; c < channels; c += kAvx512Lanes) {
      const __mmask16 on = first_lanes(channels - c);
      const __m512 middle = load(mean + c, on);
      __m512 total = load(sum + c, on);
      for (int64_t p = 0; p < count; ++p) {
        const __m512 off = _mm512_sub_ps(load(x + p * channels + c, on), middle);
        total = _mm512_fmadd_ps(off, off, total);
      }
      store(sum + c, on, total);
    }
  }
  VQ_AVX512_ENTRY static void normalise(const T* x, int64_t count, int64_t channels,
                                        const Scale& by, bool activated, T* to) {
    for (int64_t p = 0; p < count; ++p) {
      for (int64_t c = 0; c < channels; c += kAvx512Lanes) {
        const __mmask16 on = first_lanes(channels - c);
        const __m512 off = _mm512_sub_ps(load(x + p * channels + c, on), load(by.mean + c, on));
        const __m512 y = _mm512_fmadd_ps(off, load(by.gain + c, on), load(by.shift + c, on));
        store(to + p * channels + c, on, activated ? swish(y) : y);
      }
    }
  }
};

#endif

// chunk(first row, how many, picture, sum) for each picture and chunk, summed for each picture and
// group: (B, groups). Chunks are added up in their own order, whoever summed them.
template <typename Chunk>
std::vector<double> sums(const Shape& s, const Chunk& chunk) {
  std::vector<double> parts(static_cast<size_t>(s.batch * s.chunks() * s.groups));
  in_shares(s.batch * s.chunks(), 4, [&](int64_t begin, int64_t end) {
    std::vector<float> sum(static_cast<size_t>(s.channels));
    for (int64_t job = begin; job < end; ++job) {
      const int64_t picture = job / s.chunks(), first = job % s.chunks() * kChunk;
      std::fill(sum.begin(), sum.end(), 0.0f);
      chunk(picture * s.positions + first, std::min(kChunk, s.positions - first), picture,
            sum.data());
      double* to = parts.data() + job * s.groups;
      for (int64_t c = 0; c < s.channels; ++c) to[c / s.per_group()] += sum[static_cast<size_t>(c)];
    }
  });
  std::vector<double> whole(static_cast<size_t>(s.batch * s.groups));
  for (int64_t job = 0; job < s.batch * s.chunks(); ++job) {
    for (int64_t g = 0; g < s.groups; ++g)
      whole[static_cast<size_t>(job / s.chunks() * s.groups + g)] +=
          parts[static_cast<size_t>(job * s.groups + g)];
  }
  return whole;
}

template <template <typename> class Rows, typename T>
void normalise(const T* x, T* to, const Shape& s, const float* weight, const float* bias,
               const GroupNormOptions& options) {
  const double count = static_cast<double>(s.per_group() * s.positions);
  const int64_t channels = s.channels;
  // A number for each picture and channel.
  std::vector<float> mean(static_cast<size_t>(s.batch * channels));
  std::vector<float> gain = mean, shift = mean;
  const auto group = [&](size_t i) {
    const auto at = static_cast<int64_t>(i);
    return static_cast<size_t>(at / channels * s.groups + at % channels / s.per_group());
  };
  const auto first = sums(s, [&](int64_t row, int64_t rows, int64_t, float* sum) {
    Rows<T>::add(x + row * channels, rows, channels, sum);
  });
  for (size_t i = 0; i < mean.size(); ++i) mean[i] = static_cast<float>(first[group(i)] / count);
  const auto second = sums(s, [&](int64_t row, int64_t rows, int64_t picture, float* sum) {
    Rows<T>::add_squares(x + row * channels, rows, channels, mean.data() + picture * channels, sum);
  });
  for (size_t i = 0; i < mean.size(); ++i) {
    const size_t c = i % static_cast<size_t>(channels);
    gain[i] = static_cast<float>(weight[c] / std::sqrt(second[group(i)] / count + options.epsilon));
    shift[i] = bias[c];
  }
  in_shares(s.batch * s.chunks(), 4, [&](int64_t begin, int64_t end) {
    for (int64_t job = begin; job < end; ++job) {
      const int64_t picture = job / s.chunks(), first_row = job % s.chunks() * kChunk;
      const int64_t at = (picture * s.positions + first_row) * channels, of = picture * channels;
      Rows<T>::normalise(x + at, std::min(kChunk, s.positions - first_row), channels,
                         {mean.data() + of, gain.data() + of, shift.data() + of}, options.activated,
                         to + at);
    }
  });
}

template <typename T>
void normalise(const at::Tensor& x, at::Tensor& to, const Shape& shape, const at::Tensor& weight,
               const at::Tensor& bias, const GroupNormOptions& options) {
  const T* from = x.const_data_ptr<T>();
  T* result = to.mutable_data_ptr<T>();
  const auto *gain = weight.const_data_ptr<float>(), *shift = bias.const_data_ptr<float>();
#if defined(__x86_64__)
  if (has_avx512_bf16()) return normalise<Avx512>(from, result, shape, gain, shift, options);
#endif
  normalise<Plain>(from, result, shape, gain, shift, options);
}

}  // namespace

at::Tensor group_norm_map(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                          const GroupNormOptions& options) {
  const bool serves = x.is_cpu() && x.is_contiguous(at::MemoryFormat::ChannelsLast) &&
                      (x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16);
  if (!serves || x.numel() == 0) return group_norm_plain(x, weight, bias, options);
  const Shape shape = {x.size(0), x.size(1), x.size(2) * x.size(3), options.groups};
  at::Tensor to = at::empty_like(x, x.options(), at::MemoryFormat::ChannelsLast);
  if (x.scalar_type() == at::kFloat) {
    normalise<float>(x, to, shape, weight, bias, options);
  } else {
    normalise<at::BFloat16>(x, to, shape, weight, bias, options);
  }
  return to;
}

at::Tensor group_norm_plain(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                            const GroupNormOptions& options) {
  const at::Tensor y = at::group_norm(x, options.groups, weight, bias, options.epsilon);
  return options.activated ? at::silu(y) : y;
}

}  // namespace vq
