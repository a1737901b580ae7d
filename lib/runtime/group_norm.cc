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
// One position in so many, and no more than 64, spread over rows and columns, whose mean the sums
// are taken from: near enough to the true one for sums of squares to lose few digits. They are a
// part of the picture, so even where they are unlike all others the variance is off by positions /
// 64 times fp32's rounding at most.
constexpr int64_t kOneProbeIn = 16, kMostProbes = 64, kProbeStep = 7;

struct Shape {
  int64_t batch, channels, positions, groups;
  int64_t chunks() const { return (positions + kChunk - 1) / kChunk; }
  int64_t per_group() const { return channels / groups; }
};

// A number for each channel of one picture.
struct Scale {
  const float *mean, *gain, *shift;
};

// What is done to `count` rows of `channels` numbers that lie one behind the other: their distances
// from `middle`, and the squares of them, added to sums of each channel; and the rows normalised.
// Twice, for any processor and for AVX-512.
template <typename T>
struct Plain {
  static void add(const T* x, int64_t count, int64_t channels, const float* middle, float* sum,
                  float* squares) {
    for (int64_t p = 0; p < count; ++p) {
      for (int64_t c = 0; c < channels; ++c) {
        const float off = static_cast<float>(x[p * channels + c]) - middle[c];
        sum[c] += off;
        squares[c] += off * off;
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

VQ_AVX512 __m512 load(const float* x, __mmask16 on) { return load_fp32(x, on); }
VQ_AVX512 __m512 load(const at::BFloat16* x, __mmask16 on) {
  return load_bf16(reinterpret_cast<const uint16_t*>(x), on);
}
VQ_AVX512 __m512 activation(const float*, __m512 y) { return swish(y); }
VQ_AVX512 __m512 activation(const at::BFloat16*, __m512 y) { return swish_bf16(y); }
VQ_AVX512 void store(float* to, __mmask16 on, __m512 x) { store_fp32(to, on, x); }
VQ_AVX512 void store(at::BFloat16* to, __mmask16 on, __m512 x) {
  store_bf16(reinterpret_cast<uint16_t*>(to), on, x);
}

template <typename T>
struct Avx512 {
  VQ_AVX512_ENTRY static void add(const T* x, int64_t count, int64_t channels, const float* middle,
                                  float* sum, float* squares) {
    for (int64_t c = 0; c < channels; c += kAvx512Lanes) {
      const __mmask16 on = first_lanes(channels - c);
      const __m512 from = load(middle + c, on);
      __m512 total = load(sum + c, on), square = load(squares + c, on);
      for (int64_t p = 0; p < count; ++p) {
        const __m512 off = _mm512_sub_ps(load(x + p * channels + c, on), from);
        total = _mm512_add_ps(total, off);
        square = _mm512_fmadd_ps(off, off, square);
      }
      store(sum + c, on, total);
      store(squares + c, on, square);
    }
  }
  VQ_AVX512_ENTRY static void normalise(const T* x, int64_t count, int64_t channels,
                                        const Scale& by, bool activated, T* to) {
    const int64_t whole = channels / kAvx512Lanes * kAvx512Lanes;
    for (int64_t p = 0; p < count; ++p) {
      const T* from = x + p * channels;
      T* result = to + p * channels;
      // The mask is a constant here: half as much time as where it may be any.
      for (int64_t c = 0; c < whole; c += kAvx512Lanes)
        normalise_block(from, c, 0xffff, by, activated, result);
      if (whole < channels)
        normalise_block(from, whole, first_lanes(channels - whole), by, activated, result);
    }
  }

 private:
  VQ_AVX512 static void normalise_block(const T* x, int64_t c, __mmask16 on, const Scale& by,
                                        bool activated, T* to) {
    const __m512 off = _mm512_sub_ps(load(x + c, on), load(by.mean + c, on));
    const __m512 y = _mm512_fmadd_ps(off, load(by.gain + c, on), load(by.shift + c, on));
    store(to + c, on, activated ? activation(to, y) : y);
  }
};

#endif

// Of each picture's groups (B * groups).
struct Moments {
  std::vector<double> mean, variance;
};

// Of each picture's groups the mean over a few positions, for each channel (B * channels).
template <typename T>
std::vector<float> probed_means(const T* x, const Shape& s) {
  const int64_t probes = std::clamp<int64_t>(s.positions / kOneProbeIn, 1, kMostProbes);
  std::vector<float> means(static_cast<size_t>(s.batch * s.channels));
  for (int64_t b = 0; b < s.batch; ++b) {
    for (int64_t g = 0; g < s.groups; ++g) {
      double sum = 0;
      for (int64_t i = 0; i < probes; ++i) {
        const int64_t at = (i * s.positions / probes + i * kProbeStep) % s.positions;
        const T* row = x + (b * s.positions + at) * s.channels;
        for (int64_t c = g * s.per_group(); c < (g + 1) * s.per_group(); ++c)
          sum += static_cast<double>(row[c]);
      }
      const auto first = means.begin() + b * s.channels + g * s.per_group();
      std::fill(first, first + s.per_group(),
                static_cast<float>(sum / static_cast<double>(probes * s.per_group())));
    }
  }
  return means;
}

// Chunks are added up in their own order, whoever summed them.
template <template <typename> class Rows, typename T>
Moments moments(const T* x, const Shape& s) {
  const std::vector<float> middle = probed_means(x, s);
  const auto jobs = static_cast<size_t>(s.batch * s.chunks());
  std::vector<double> parts(jobs * static_cast<size_t>(2 * s.groups));  // sums, then squares
  in_shares(s.batch * s.chunks(), 4, [&](int64_t begin, int64_t end) {
    std::vector<float> both(static_cast<size_t>(2 * s.channels));
    float *sum = both.data(), *squares = sum + s.channels;
    for (int64_t job = begin; job < end; ++job) {
      const int64_t picture = job / s.chunks(), first = job % s.chunks() * kChunk;
      std::fill(both.begin(), both.end(), 0.0f);
      Rows<T>::add(x + (picture * s.positions + first) * s.channels,
                   std::min(kChunk, s.positions - first), s.channels,
                   middle.data() + picture * s.channels, sum, squares);
      double* to = parts.data() + job * 2 * s.groups;
      for (int64_t c = 0; c < s.channels; ++c) {
        to[c / s.per_group()] += sum[c];
        to[s.groups + c / s.per_group()] += squares[c];
      }
    }
  });
  const double count = static_cast<double>(s.per_group() * s.positions);
  Moments result{std::vector<double>(static_cast<size_t>(s.batch * s.groups)), {}};
  result.variance = result.mean;
  for (int64_t b = 0; b < s.batch; ++b) {
    for (int64_t g = 0; g < s.groups; ++g) {
      double sum = 0, squares = 0;
      for (int64_t chunk = 0; chunk < s.chunks(); ++chunk) {
        const double* from = parts.data() + (b * s.chunks() + chunk) * 2 * s.groups;
        sum += from[g], squares += from[s.groups + g];
      }
      const auto i = static_cast<size_t>(b * s.groups + g);
      const double off = sum / count;
      result.mean[i] = middle[static_cast<size_t>(b * s.channels + g * s.per_group())] + off;
      result.variance[i] = std::max(0.0, squares / count - off * off);
    }
  }
  return result;
}

template <template <typename> class Rows, typename T>
void normalise(const T* x, T* to, const Shape& s, const float* weight, const float* bias,
               const GroupNormOptions& options) {
  const int64_t channels = s.channels;
  const Moments of = moments<Rows>(x, s);
  // A number for each picture and channel.
  std::vector<float> mean(static_cast<size_t>(s.batch * channels));
  std::vector<float> gain = mean, shift = mean;
  for (size_t i = 0; i < mean.size(); ++i) {
    const auto at = static_cast<int64_t>(i), c = at % channels;
    const auto group = static_cast<size_t>(at / channels * s.groups + c / s.per_group());
    mean[i] = static_cast<float>(of.mean[group]);
    gain[i] = static_cast<float>(weight[c] / std::sqrt(of.variance[group] + options.epsilon));
    shift[i] = bias[c];
  }
  in_shares(s.batch * s.chunks(), 4, [&](int64_t begin, int64_t end) {
    for (int64_t job = begin; job < end; ++job) {
      const int64_t picture = job / s.chunks(), first_row = job % s.chunks() * kChunk;
      const int64_t at = (picture * s.positions + first_row) * channels;
      const int64_t own = picture * channels;
      Rows<T>::normalise(x + at, std::min(kChunk, s.positions - first_row), channels,
                         {mean.data() + own, gain.data() + own, shift.data() + own},
                         options.activated, to + at);
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
