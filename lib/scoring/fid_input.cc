#include "lib/scoring/fid_input.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "formats/error.h"

namespace vq {
namespace {

// For one axis: output i is the sum of weights[j] * input[first + j].
struct AxisTap {
  int64_t first = 0;
  std::vector<double> weights;
};
using AxisTaps = std::vector<AxisTap>;

double keys_cubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

AxisTaps bicubic_taps(int64_t in, int64_t out) {
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  const double stretch = std::max(scale, 1.0), reach = 2 * stretch;
  AxisTaps taps(static_cast<size_t>(out));
  for (int64_t i = 0; i < out; ++i) {
    AxisTap& tap = taps[static_cast<size_t>(i)];
    const double centre = (static_cast<double>(i) + 0.5) * scale;
    tap.first = std::max(int64_t{0}, static_cast<int64_t>(centre - reach + 0.5));
    const int64_t last = std::min(in, static_cast<int64_t>(centre + reach + 0.5));
    double sum = 0;
    for (int64_t j = tap.first; j < last; ++j) {
      tap.weights.push_back(keys_cubic((static_cast<double>(j) - centre + 0.5) / stretch));
      sum += tap.weights.back();
    }
    for (double& weight : tap.weights) weight /= sum;
  }
  return taps;
}

// Between the two neighbours of scale * i + offset, which is kept inside the picture.
AxisTaps bilinear_taps(int64_t in, int64_t out, bool centres) {
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  AxisTaps taps(static_cast<size_t>(out));
  for (int64_t i = 0; i < out; ++i) {
    const double at =
        centres ? (static_cast<double>(i) + 0.5) * scale - 0.5 : static_cast<double>(i) * scale;
    const double inside = std::clamp(at, 0.0, static_cast<double>(in - 1));
    const auto first = static_cast<int64_t>(inside);
    const double part = inside - static_cast<double>(first);
    if (first + 1 < in) {
      taps[static_cast<size_t>(i)] = {first, {1 - part, part}};
    } else {
      taps[static_cast<size_t>(i)] = {first, {1}};
    }
  }
  return taps;
}

AxisTaps make_axis(int64_t in, int64_t out, Filter filter) {
  if (filter == Filter::bicubic_antialias) return bicubic_taps(in, out);
  return bilinear_taps(in, out, filter == Filter::bilinear_centres);
}

// Rows of bytes -> rows of floats of the new width; sums in double, as Pillow does.
std::vector<float> across(const Image& image, int64_t width, Filter filter) {
  std::vector<float> out(static_cast<size_t>(image.height * width * 3));
  const AxisTaps taps = make_axis(image.width, width, filter);
  float* to = out.data();
  for (int y = 0; y < image.height; ++y) {
    for (const AxisTap& tap : taps) {
      double sum[3] = {0, 0, 0};
      const uint8_t* from = image.at(static_cast<int>(tap.first), y);
      for (const double weight : tap.weights) {
        for (double& s : sum) s += weight * *from++;
      }
      for (const double s : sum) *to++ = static_cast<float>(s);
    }
  }
  return out;
}

void down(const std::vector<float>& rows, int64_t in, int64_t row, int64_t height, Filter filter,
          float* to) {
  std::vector<double> sum(static_cast<size_t>(row));
  for (const AxisTap& tap : make_axis(in, height, filter)) {
    std::fill(sum.begin(), sum.end(), 0.0);
    const float* from = rows.data() + tap.first * row;
    for (const double weight : tap.weights) {
      for (double& s : sum) s += weight * *from++;
    }
    for (const double s : sum) *to++ = static_cast<float>(s);
  }
}

}  // namespace

const std::vector<std::string>& fid_mode_words() {
  static const std::vector<std::string> words = {"clean", "pytorch", "tensorflow"};
  return words;
}

FidMode fid_mode_from_word(const std::string& word) {
  const auto& words = fid_mode_words();
  const auto found = std::find(words.begin(), words.end(), word);
  if (found == words.end()) {
    throw Error::usage("--fid-mode", "'" + word + "' is none of clean, pytorch, tensorflow");
  }
  return static_cast<FidMode>(found - words.begin());
}

const char* describe(FidMode mode) {
  switch (mode) {
    case FidMode::clean:
      return "clean: bicubic antialiased in float to 299, (x - 128) / 128";
    case FidMode::pytorch:
      return "pytorch: bilinear between centres to 299, x / 127.5 - 1";
    case FidMode::tensorflow:
      return "tensorflow: bilinear between corners to 299, (x - 128) / 128";
  }
  return "";
}

at::Tensor resample_floats(const Image& image, int64_t width, int64_t height, Filter filter) {
  at::Tensor out = at::empty({height, width, 3}, at::kFloat);
  float* to = out.data_ptr<float>();
  if (image.width == width && image.height == height) {
    std::copy(image.rgb.begin(), image.rgb.end(), to);
    return out;
  }
  down(across(image, width, filter), image.height, 3 * width, height, filter, to);
  return out;
}

at::Tensor fid_input(const Image& image, FidMode mode, int64_t size) {
  const Filter filter = mode == FidMode::clean     ? Filter::bicubic_antialias
                        : mode == FidMode::pytorch ? Filter::bilinear_centres
                                                   : Filter::bilinear_corners;
  at::Tensor x = resample_floats(image, size, size, filter).clamp_(0, 255);
  if (mode == FidMode::pytorch) {
    x.div_(127.5).sub_(1);
  } else {
    x.sub_(128).div_(128);
  }
  return x.permute({2, 0, 1});
}

}  // namespace vq
