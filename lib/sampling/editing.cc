#include "lib/sampling/editing.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "formats/error.h"
#include "lib/random.h"

namespace vq {
namespace {

bool is_marked(const Image& mask, int x, int y) {
  const uint8_t* p = mask.at(x, y);
  return (p[0] + p[1] + p[2]) > 3 * 127;
}

// The pixels under cell i of n, so that neighbours share the pixels on their border.
std::pair<int, int> span_of(int64_t i, int64_t n, int pixels) {
  const int64_t begin = i * pixels / n, end = ((i + 1) * pixels + n - 1) / n;
  return {static_cast<int>(begin), static_cast<int>(end)};
}

}  // namespace

std::vector<bool> free_cells(const Image& mask, int64_t height, int64_t width, int64_t grow) {
  std::vector<bool> free(static_cast<size_t>(height * width), false);
  const auto free_around = [&](int64_t row, int64_t column) {
    for (int64_t r = std::max<int64_t>(0, row - grow); r <= std::min(height - 1, row + grow); ++r) {
      for (int64_t c = std::max<int64_t>(0, column - grow); c <= std::min(width - 1, column + grow);
           ++c) {
        free[static_cast<size_t>(r * width + c)] = true;
      }
    }
  };
  const auto any_marked = [&](int64_t row, int64_t column) {
    const auto [top, bottom] = span_of(row, height, mask.height);
    const auto [left, right] = span_of(column, width, mask.width);
    for (int y = top; y < bottom; ++y) {
      for (int x = left; x < right; ++x) {
        if (is_marked(mask, x, y)) return true;
      }
    }
    return false;
  };
  for (int64_t row = 0; row < height; ++row) {
    for (int64_t column = 0; column < width; ++column) {
      if (any_marked(row, column)) free_around(row, column);
    }
  }
  return free;
}

Start start_from(const Schedule& schedule, const at::Tensor& tokens, const at::Tensor& free,
                 double strength, uint64_t seed, const std::vector<uint64_t>& records) {
  if (!(strength > 0 && strength <= 1)) {
    throw Error::usage("--strength", "needs a number above 0 and at most 1");
  }
  const int64_t k = schedule.codebook_size();
  const at::Tensor open = free.logical_or(tokens.eq(k));
  Start start;
  start.time = strength * schedule.timesteps();
  start.frozen = open.logical_not();
  if (strength == 1) {
    start.tokens = tokens.masked_fill(open, k);
    return start;
  }
  const UniformGrid noise = uniform_grid(seed, Purpose::start, records, /*step=*/0, tokens.size(1));
  const double gamma = schedule.gamma_bar(start.time);
  const double replaced = static_cast<double>(k) * schedule.beta_bar(start.time);
  const at::Tensor any_token =
      (noise.second * static_cast<double>(k)).floor().to(at::kLong).clamp_max(k - 1);
  at::Tensor noisy = at::where(noise.first.lt(gamma + replaced), any_token, tokens);
  noisy = noisy.masked_fill(noise.first.lt(gamma), k);
  start.tokens = at::where(open.logical_and(tokens.ne(k)), noisy, tokens);
  return start;
}

}  // namespace vq
