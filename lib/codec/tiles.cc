#include "lib/codec/tiles.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "formats/error.h"

namespace vq {
namespace {

// One axis of one window.
struct Span {
  int64_t begin, length;
  at::Tensor weights;  // (length * f)
};

std::vector<Span> make_spans(int64_t cells, int64_t tile, int64_t f) {
  const int64_t part = std::max<int64_t>(1, tile / 8), stride = tile - 3 * part;
  std::vector<Span> spans;
  if (cells <= tile) return {{0, cells, at::ones({cells * f})}};
  for (int64_t begin = 0;; begin = std::min(begin + stride, cells - tile)) {
    const bool last = begin == cells - tile;
    // Pixels between this one's middle and the border.
    const auto from_begin = at::arange(tile * f).to(at::kFloat) + 0.5f;
    const auto ramp = [&](const at::Tensor& distance) {
      return ((distance - static_cast<double>(part * f)) / static_cast<double>(part * f))
          .clamp(0, 1);
    };
    auto weights = at::ones({tile * f});
    if (begin > 0) weights = weights * ramp(from_begin);
    if (!last) weights = weights * ramp(from_begin.flip(0));
    spans.push_back({begin, tile, weights});
    if (last) return spans;
  }
}

}  // namespace

at::Tensor decode_in_tiles(const Codec& codec, const at::Tensor& tokens, int64_t height,
                           int64_t width, int64_t tile) {
  if (tile != 0 && tile < kSmallestTile) {
    throw Error::usage("--tile",
                       fmt::format("{} is neither 0 nor at least {} cells", tile, kSmallestTile));
  }
  if (tile == 0 || (height <= tile && width <= tile)) return codec.decode(tokens, height, width);
  const int64_t f = codec.config().factor(), batch = tokens.size(0);
  const auto rows = make_spans(height, tile, f), columns = make_spans(width, tile, f);
  const auto grid = tokens.view({batch, height, width});
  auto sum = at::zeros({batch, 3, height * f, width * f}),
       weight = at::zeros({height * f, width * f});
  const auto window = [f](const at::Tensor& x, const Span& y, const Span& x_span) {
    return x.narrow(-2, y.begin * f, y.length * f).narrow(-1, x_span.begin * f, x_span.length * f);
  };
  for (const Span& y : rows) {
    for (const Span& x : columns) {
      const auto some = grid.narrow(1, y.begin, y.length).narrow(2, x.begin, x.length);
      const auto images = codec.decode(some.reshape({batch, -1}), y.length, x.length);
      const auto here = y.weights.unsqueeze(1) * x.weights.unsqueeze(0);
      window(sum, y, x).add_(images * here);
      window(weight, y, x).add_(here);
    }
  }
  return sum.div_(weight);
}

}  // namespace vq
