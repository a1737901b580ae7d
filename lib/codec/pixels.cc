#include "lib/codec/pixels.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "formats/error.h"

namespace vq {
namespace {

double cubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  return 0;
}

// For one axis: output i is the sum of weights[j] * input[first + j].
struct Tap {
  int first = 0;
  std::vector<float> weights;
};

// When shrinking, the kernel is stretched by the scale, so that every input pixel counts.
std::vector<Tap> make_taps(int in, int out) {
  const double scale = static_cast<double>(in) / out;
  const double stretch = std::max(scale, 1.0);
  const double reach = 2 * stretch;
  std::vector<Tap> taps(out);
  for (int i = 0; i < out; ++i) {
    const double centre = (i + 0.5) * scale;
    const int first = std::max(0, static_cast<int>(centre - reach + 0.5));
    const int last = std::min(in, static_cast<int>(centre + reach + 0.5));
    double sum = 0;
    std::vector<double> w;
    for (int j = first; j < last; ++j) {
      w.push_back(cubic((j + 0.5 - centre) / stretch));
      sum += w.back();
    }
    taps[i].first = first;
    for (double v : w) taps[i].weights.push_back(static_cast<float>(v / sum));
  }
  return taps;
}

uint8_t to_byte(float v) { return static_cast<uint8_t>(std::clamp(v + 0.5f, 0.0f, 255.0f)); }

Image resample_across(const Image& image, int width) {
  const auto taps = make_taps(image.width, width);
  Image out{width, image.height, {}};
  out.rgb.resize(3 * static_cast<size_t>(width) * image.height);
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < width; ++x) {
      float sum[3] = {0, 0, 0};
      const uint8_t* from = image.at(taps[x].first, y);
      for (float w : taps[x].weights) {
        for (int c = 0; c < 3; ++c) sum[c] += w * *from++;
      }
      for (int c = 0; c < 3; ++c) out.at(x, y)[c] = to_byte(sum[c]);
    }
  }
  return out;
}

Image resample_down(const Image& image, int height) {
  const auto taps = make_taps(image.height, height);
  Image out{image.width, height, {}};
  const size_t row = 3 * static_cast<size_t>(image.width);
  out.rgb.resize(row * height);
  std::vector<float> sum(row);
  for (int y = 0; y < height; ++y) {
    std::fill(sum.begin(), sum.end(), 0.0f);
    for (size_t j = 0; j < taps[y].weights.size(); ++j) {
      const uint8_t* from = image.at(0, taps[y].first + static_cast<int>(j));
      for (size_t i = 0; i < row; ++i) sum[i] += taps[y].weights[j] * from[i];
    }
    for (size_t i = 0; i < row; ++i) out.rgb[y * row + i] = to_byte(sum[i]);
  }
  return out;
}

Image crop(const Image& image, int left, int top, int width, int height) {
  Image out{width, height, {}};
  out.rgb.resize(3 * static_cast<size_t>(width) * height);
  for (int y = 0; y < height; ++y) {
    std::memcpy(out.at(0, y), image.at(left, top + y), 3 * static_cast<size_t>(width));
  }
  return out;
}

}  // namespace

at::Tensor to_images(const at::Tensor& bytes) {
  return bytes.to(at::kFloat).div_(127.5).sub_(1.0).permute({0, 3, 1, 2});
}

at::Tensor to_bytes(const at::Tensor& images) {
  auto scaled = images.permute({0, 2, 3, 1}).to(at::kFloat).add(1.0).mul_(127.5);
  return scaled.round_().clamp_(0, 255).to(at::kByte).contiguous();
}

at::Tensor to_tensor(const Image& image) {
  auto bytes = at::empty({image.height, image.width, 3}, at::kByte);
  std::memcpy(bytes.data_ptr<uint8_t>(), image.rgb.data(), image.rgb.size());
  return bytes;
}

Image to_image(const at::Tensor& bytes, int64_t row) {
  auto one = bytes[row].to(at::kCPU).contiguous();
  Image image{static_cast<int>(one.size(1)), static_cast<int>(one.size(0)), {}};
  const uint8_t* data = one.data_ptr<uint8_t>();
  image.rgb.assign(data, data + one.numel());
  return image;
}

Resize resize_from_word(const std::string& word) {
  if (word == "center") return Resize::center;
  if (word == "squash") return Resize::squash;
  throw Error::usage("--resize", fmt::format("'{}' is neither center nor squash", word));
}

Image resample(const Image& image, int width, int height) {
  if (width == image.width && height == image.height) return image;
  return resample_down(resample_across(image, width), height);
}

Image fit_image(const Image& image, int size, Resize how) {
  if (image.width == size && image.height == size) return image;
  if (how == Resize::squash || image.width == image.height) return resample(image, size, size);
  const int side = std::min(image.width, image.height);
  return resample(crop(image, (image.width - side) / 2, (image.height - side) / 2, side, side),
                  size, size);
}

at::Tensor fold_pixels(const at::Tensor& x, int64_t n) {
  return n == 1 ? x : at::pixel_unshuffle(x, n).contiguous(at::MemoryFormat::ChannelsLast);
}

at::Tensor unfold_pixels(const at::Tensor& x, int64_t n) {
  return n == 1 ? x : at::pixel_shuffle(x, n);
}

at::Tensor psnr(const at::Tensor& images, const at::Tensor& others) {
  // The range is 2 wide, so the peak's square is 4.
  auto error = (images.to(at::kFloat) - others.to(at::kFloat)).pow(2).mean({1, 2, 3}) / 4;
  return -10 * error.clamp_min(1e-10).log10();
}

}  // namespace vq
