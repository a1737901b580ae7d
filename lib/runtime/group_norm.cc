#include "lib/runtime/group_norm.h"

#include <ATen/ops/empty_like.h>
#include <ATen/ops/group_norm.h>

#include <algorithm>
#include <cmath>
#include <vector>

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

// term(value, channel) summed for each picture and group: (B, groups). Chunks are added up in their
// own order, whoever summed them.
template <typename T, typename Term>
std::vector<double> sums(const T* x, const Shape& s, const Term& term) {
  std::vector<double> parts(static_cast<size_t>(s.batch * s.chunks() * s.groups));
  in_shares(s.batch * s.chunks(), 4, [&](int64_t begin, int64_t end) {
    std::vector<float> sum(static_cast<size_t>(s.channels));
    for (int64_t job = begin; job < end; ++job) {
      const int64_t picture = job / s.chunks(), first = job % s.chunks() * kChunk;
      const int64_t last = std::min(first + kChunk, s.positions);
      std::fill(sum.begin(), sum.end(), 0.0f);
      for (int64_t p = first; p < last; ++p)
        term(x + (picture * s.positions + p) * s.channels, picture, sum.data());
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

template <typename T>
void normalise(const T* x, T* to, const Shape& s, const float* weight, const float* bias,
               double epsilon) {
  const double count = static_cast<double>(s.per_group() * s.positions);
  const int64_t channels = s.channels;
  // A number for each picture and channel.
  std::vector<float> mean(static_cast<size_t>(s.batch * channels));
  std::vector<float> gain = mean, shift = mean;
  const auto group = [&](size_t i) {
    const auto at = static_cast<int64_t>(i);
    return static_cast<size_t>(at / channels * s.groups + at % channels / s.per_group());
  };
  const auto first = sums(x, s, [&](const T* row, int64_t, float* sum) {
    for (int64_t c = 0; c < channels; ++c) sum[c] += static_cast<float>(row[c]);
  });
  for (size_t i = 0; i < mean.size(); ++i) mean[i] = static_cast<float>(first[group(i)] / count);
  const auto second = sums(x, s, [&](const T* row, int64_t picture, float* sum) {
    const float* middle = mean.data() + picture * channels;
    for (int64_t c = 0; c < channels; ++c) {
      const float off = static_cast<float>(row[c]) - middle[c];
      sum[c] += off * off;
    }
  });
  for (size_t i = 0; i < mean.size(); ++i) {
    const size_t c = i % static_cast<size_t>(channels);
    gain[i] = static_cast<float>(weight[c] / std::sqrt(second[group(i)] / count + epsilon));
    shift[i] = bias[c];
  }
  in_shares(s.batch * s.positions, 256, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const T* in = x + row * channels;
      T* out = to + row * channels;
      const auto at = row / s.positions * channels;
      const float *m = mean.data() + at, *a = gain.data() + at, *b = shift.data() + at;
      for (int64_t c = 0; c < channels; ++c)
        out[c] = static_cast<T>((static_cast<float>(in[c]) - m[c]) * a[c] + b[c]);
    }
  });
}

}  // namespace

at::Tensor group_norm_map(const at::Tensor& x, int64_t groups, const at::Tensor& weight,
                          const at::Tensor& bias, double epsilon) {
  const bool serves = x.is_cpu() && x.is_contiguous(at::MemoryFormat::ChannelsLast) &&
                      (x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16);
  if (!serves || x.numel() == 0) return group_norm_plain(x, groups, weight, bias, epsilon);
  const Shape shape = {x.size(0), x.size(1), x.size(2) * x.size(3), groups};
  at::Tensor to = at::empty_like(x, x.options(), at::MemoryFormat::ChannelsLast);
  const auto *gain = weight.const_data_ptr<float>(), *shift = bias.const_data_ptr<float>();
  if (x.scalar_type() == at::kFloat) {
    normalise(x.const_data_ptr<float>(), to.mutable_data_ptr<float>(), shape, gain, shift, epsilon);
  } else {
    normalise(x.const_data_ptr<at::BFloat16>(), to.mutable_data_ptr<at::BFloat16>(), shape, gain,
              shift, epsilon);
  }
  return to;
}

at::Tensor group_norm_plain(const at::Tensor& x, int64_t groups, const at::Tensor& weight,
                            const at::Tensor& bias, double epsilon) {
  return at::group_norm(x, groups, weight, bias, epsilon);
}

}  // namespace vq
