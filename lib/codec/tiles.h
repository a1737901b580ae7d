// Decoding a large grid in overlapping tiles, so that memory is that of one tile's network.
//
//   tokens   (B, h*w)         as Codec::decode takes them
//   result   (B, 3, H, W)     in [-1, 1]
//
// Windows of `tile` x `tile` cells; each leaves out a margin of tile / 8 cells at its inner borders
// and fades into its neighbour over the tile / 8 cells behind it.
//
// Law: for a network without GroupNorm and attention whose margin covers the receptive field the
// result is that of the whole. With them it is not, for a tile's statistics are its own: the page
// vq-decode(1) says how far off it was found.   (tiles_test.cc)
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "lib/codec/codec.h"

namespace vq {

inline constexpr int64_t kSmallestTile = 8;  // cells a side

// tile 0, and a grid that is no larger than a tile, is decoded whole. Throws vq::Error (usage) for
// another tile below the smallest.
at::Tensor decode_in_tiles(const Codec& codec, const at::Tensor& tokens, int64_t height,
                           int64_t width, int64_t tile);

}  // namespace vq
