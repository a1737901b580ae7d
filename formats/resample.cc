#include "formats/resample.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "formats/error.h"

namespace vq {
namespace {

// Weights are whole numbers of 2^-22: 255 times a sum of them, and what bicubic weights overshoot,
// fits in 32 bits.
constexpr int kBits = 22;
constexpr int32_t kHalf = 1 << (kBits - 1);

double cubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

// One axis: output `begin + i` is the sum of weights[i * most + j] * input[first[i] + j], j <
// count[i].
struct Taps {
  int most = 0;
  std::vector<int> first, count;
  std::vector<int32_t> weights;

  // For outputs begin .. begin + n - 1 of `out` that stand for `in` inputs.
  Taps(int in, int out, int begin, int n) : first(n), count(n) {
    const double scale = static_cast<double>(in) / out;
    const double stretch = std::max(scale, 1.0);
    const double reach = 2 * stretch;
    most = static_cast<int>(std::ceil(reach)) * 2 + 1;
    weights.assign(static_cast<size_t>(n) * most, 0);
    std::vector<double> w(most);
    for (int i = 0; i < n; ++i) {
      const double centre = (begin + i + 0.5) * scale;
      first[i] = std::max(0, static_cast<int>(centre - reach + 0.5));
      count[i] = std::min(in, static_cast<int>(centre + reach + 0.5)) - first[i];
      double sum = 0;
      for (int j = 0; j < count[i]; ++j) {
        w[j] = cubic((j + first[i] - centre + 0.5) * (1 / stretch));
        sum += w[j];
      }
      for (int j = 0; j < count[i]; ++j) {
        const double scaled = w[j] / sum * (1 << kBits);
        weights[static_cast<size_t>(i) * most + j] =
            static_cast<int32_t>(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
      }
    }
  }
  const int32_t* of(int i) const { return weights.data() + static_cast<size_t>(i) * most; }
};

uint8_t to_byte(int32_t sum) { return static_cast<uint8_t>(std::clamp(sum >> kBits, 0, 255)); }

size_t row_bytes(int width) { return 3 * static_cast<size_t>(width); }

Image crop(const Image& image, const Rect& r) {
  Image out{r.width, r.height, {}};
  out.rgb.resize(row_bytes(r.width) * r.height);
  for (int y = 0; y < r.height; ++y) {
    std::memcpy(out.at(0, y), image.at(r.left, r.top + y), row_bytes(r.width));
  }
  return out;
}

// Columns keep.left .. of `from`'s rows top .. top + rows - 1, resampled to `width` across.
Image resample_across(const Image& image, const Framing& f, int top, int rows) {
  const Taps taps(f.from.width, f.width, f.keep.left, f.keep.width);
  Image out{f.keep.width, rows, {}};
  out.rgb.resize(row_bytes(out.width) * rows);
  for (int y = 0; y < rows; ++y) {
    const uint8_t* row = image.at(f.from.left, top + y);
    uint8_t* to = out.at(0, y);
    for (int x = 0; x < out.width; ++x, to += 3) {
      int32_t r = kHalf, g = kHalf, b = kHalf;
      const uint8_t* from = row + row_bytes(taps.first[x]);
      const int32_t* weights = taps.of(x);
      for (int j = 0; j < taps.count[x]; ++j, from += 3) {
        r += weights[j] * from[0], g += weights[j] * from[1], b += weights[j] * from[2];
      }
      to[0] = to_byte(r), to[1] = to_byte(g), to[2] = to_byte(b);
    }
  }
  return out;
}

// `image` holds the kept columns of the rows of `from` that begin with row `begin` of it.
Image resample_down(const Image& image, const Taps& taps, int begin, int height) {
  Image out{image.width, height, {}};
  const size_t row = row_bytes(image.width);
  out.rgb.resize(row * height);
  std::vector<int32_t> sum(row);
  for (int y = 0; y < height; ++y) {
    std::fill(sum.begin(), sum.end(), kHalf);
    for (int j = 0; j < taps.count[y]; ++j) {
      const uint8_t* from = image.at(0, taps.first[y] - begin + j);
      const int32_t weight = taps.of(y)[j];
      for (size_t i = 0; i < row; ++i) sum[i] += weight * from[i];
    }
    uint8_t* to = out.at(0, y);
    for (size_t i = 0; i < row; ++i) to[i] = to_byte(sum[i]);
  }
  return out;
}

Rect centre_of(int width, int height, int side_x, int side_y) {
  return {(width - side_x) / 2, (height - side_y) / 2, side_x, side_y};
}

int whole(double low, double high, double draw) {
  return static_cast<int>(low + (high - low) * draw);
}

// Of `count` places one; a draw next to 1 may round up to it.
int place(int count, double draw) { return std::min(static_cast<int>(draw * count), count - 1); }

Framing frame_for_training(int width, int height, int size, const FramingDraws& draws) {
  const int side = std::min(width, height);
  const auto offset = [](int slack, double draw) {
    const int low = 3 * slack / 8;
    return whole(low, std::max(low + 1, 5 * slack / 8), draw);
  };
  const int top = offset(height - side, draws[0]), left = offset(width - side, draws[1]);
  // Python's round(): a half goes to the even number.
  const int most = std::max(size, std::min(side, static_cast<int>(std::nearbyint(size * 9 / 8.0))));
  const int t = std::min(whole(size, most + 1, draws[2]), most);
  const int y = place(t - size + 1, draws[3]), x = place(t - size + 1, draws[4]);
  return {{left, top, side, side}, t, t, {x, y, size, size}};
}

}  // namespace

const std::vector<std::string>& resize_words() {
  static const std::vector<std::string> words = {"center", "squash", "paper-val", "paper-train"};
  return words;
}

Resize resize_from_word(const std::string& word) {
  const auto& words = resize_words();
  const auto it = std::find(words.begin(), words.end(), word);
  if (it == words.end()) {
    throw Error::usage("--resize", fmt::format("'{}' is none of {}", word, fmt::join(words, ", ")));
  }
  return static_cast<Resize>(it - words.begin());
}

Framing frame_picture(Resize how, int width, int height, int size, const FramingDraws& draws) {
  const Rect square = {0, 0, size, size};
  const int side = std::min(width, height);
  switch (how) {
    case Resize::squash:
      return {{0, 0, width, height}, size, size, square};
    case Resize::paper_val: {
      const auto scaled = [&](int n) { return static_cast<int>(int64_t{n} * size / side); };
      const int w = scaled(width), h = scaled(height);
      return {{0, 0, width, height}, w, h, centre_of(w, h, size, size)};
    }
    case Resize::paper_train:
      return frame_for_training(width, height, size, draws);
    case Resize::center:
      break;
  }
  return {centre_of(width, height, side, side), size, size, square};
}

Image resample(const Image& image, const Framing& f) {
  // Like Pillow, an axis that keeps its length is left alone: the taps would be 1.
  const bool across = f.width != f.from.width, down = f.height != f.from.height;
  if (!down) {
    if (across) return resample_across(image, f, f.from.top + f.keep.top, f.keep.height);
    return crop(image,
                {f.from.left + f.keep.left, f.from.top + f.keep.top, f.keep.width, f.keep.height});
  }
  const Taps taps(f.from.height, f.height, f.keep.top, f.keep.height);
  const int begin = taps.first.front();
  const int rows = taps.first.back() + taps.count.back() - begin;
  const int top = f.from.top + begin;
  const Image band = across ? resample_across(image, f, top, rows)
                            : crop(image, {f.from.left + f.keep.left, top, f.keep.width, rows});
  return resample_down(band, taps, begin, f.keep.height);
}

Image resample(const Image& image, int width, int height) {
  return resample(image, {{0, 0, image.width, image.height}, width, height, {0, 0, width, height}});
}

Image fit_image(const Image& image, int size, Resize how, const FramingDraws& draws) {
  return resample(image, frame_picture(how, image.width, image.height, size, draws));
}

Image mirrored(Image image) {
  for (int y = 0; y < image.height; ++y) {
    uint8_t* left = image.at(0, y);
    uint8_t* right = left + row_bytes(image.width - 1);
    for (; left < right; left += 3, right -= 3) std::swap_ranges(left, left + 3, right);
  }
  return image;
}

}  // namespace vq
