#include "lib/runtime/attention_bf16.h"

#include <ATen/Parallel.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/scaled_dot_product_attention.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "lib/runtime/avx512.h"
#include "lib/runtime/parallel.h"

namespace vq {
namespace {

// (rows, D) -> (1, heads, rows, D / heads)
at::Tensor by_head(const at::Tensor& x, int64_t heads) {
  return x.unflatten(1, {heads, -1}).transpose(0, 1).unsqueeze(0);
}

#if defined(__x86_64__)

// How the work is cut. A tile of query rows meets a stretch of keys: its scores stay in the first
// cache, and are folded into the result before the next stretch (the softmax is renormalised as it
// goes). Products are vdpbf16ps: 16 sums of two products each, so keys and values are packed with
// neighbouring pairs side by side, keys by pairs of coordinates, values by pairs of keys.
constexpr int64_t kTile = 8;       // query rows
constexpr int64_t kStretch = 256;  // keys
constexpr int64_t kLanes = kAvx512Lanes;
constexpr int64_t kKeys = 2 * kLanes;  // keys are padded to a multiple of this

using Word = uint32_t;  // two bf16

struct Shape {
  int64_t keys, padded_keys;  // S, and S up to a multiple of kKeys
  int64_t width, pairs;       // coordinates of a head, and pairs of them
  int64_t vectors;            // of 16 coordinates in a head's value
};

struct Strided {
  const uint16_t* data;
  int64_t row;  // numbers from one row to the next
};

// Keys (S, width) -> [block of 16 keys][pair of coordinates][key]; missing ones are zero.
void pack_keys(const Shape& n, Strided key, Word* packed) {
  const int64_t whole = n.keys / kLanes * kLanes;  // blocks that no key is missing in
  std::memset(packed + whole * n.pairs, 0, sizeof(Word) * (n.padded_keys - whole) * n.pairs);
  for (int64_t s = 0; s < n.keys; ++s) {
    const uint16_t* row = key.data + s * key.row;
    Word* to = packed + (s / kLanes) * n.pairs * kLanes + s % kLanes;
    for (int64_t p = 0; p < n.width / 2; ++p)
      to[p * kLanes] = row[2 * p] | static_cast<Word>(row[2 * p + 1]) << 16;
    if (n.width % 2 != 0) to[(n.pairs - 1) * kLanes] = row[n.width - 1];
  }
}

// Values (S, width) -> [pair of keys][coordinate, up to a multiple of 16]; missing ones are zero.
VQ_AVX512 void pack_values(const Shape& n, Strided value, Word* packed) {
  const int64_t padded = n.vectors * kLanes, pairs = (n.keys + 1) / 2;
  for (int64_t p = 0; p < pairs; ++p) {
    const uint16_t* even = value.data + 2 * p * value.row;
    const uint16_t* odd = even + value.row;
    const bool last = 2 * p + 1 == n.keys;
    for (int64_t d = 0; d < padded; d += kLanes) {
      const __mmask16 on = first_lanes(n.width - d);
      const __m512i low = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(on, even + d));
      const __m512i high = last ? _mm512_setzero_si512()
                                : _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(on, odd + d));
      _mm512_storeu_si512(packed + p * padded + d,
                          _mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
    }
  }
  std::memset(packed + pairs * padded, 0, sizeof(Word) * (n.padded_keys / 2 - pairs) * padded);
}

VQ_AVX512 __m512 multiply_add(__m512 sum, __m512i a, __m512i b) {
  return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b));
}

// What belongs to one tile of rows. Totals are summed lane by lane, and across lanes at the end.
struct Tile {
  alignas(64) float scores[kTile][kStretch];
  alignas(64) Word weights[kTile][kStretch / 2];
  alignas(64) float total[kTile][kLanes];
  alignas(64) float highest[kLanes];  // of kTile rows; the others are not used
};

// scores of the tile's rows and the keys from..to-1, not yet scaled.
VQ_AVX512 void score(const Shape& n, const Word* query, const Word* keys, int64_t from, int64_t to,
                     Tile& tile) {
  for (int64_t s = from; s < to; s += kKeys) {
    const Word* k = keys + s / kLanes * n.pairs * kLanes;
    __m512 sums[kTile][2];
#pragma GCC unroll 8
    for (int64_t r = 0; r < kTile; ++r) sums[r][0] = sums[r][1] = _mm512_setzero_ps();
    for (int64_t p = 0; p < n.pairs; ++p) {
      const __m512i k0 = _mm512_loadu_si512(k + p * kLanes);
      const __m512i k1 = _mm512_loadu_si512(k + (n.pairs + p) * kLanes);
#pragma GCC unroll 8
      for (int64_t r = 0; r < kTile; ++r) {
        const __m512i q = _mm512_set1_epi32(static_cast<int>(query[r * n.pairs + p]));
        sums[r][0] = multiply_add(sums[r][0], q, k0);
        sums[r][1] = multiply_add(sums[r][1], q, k1);
      }
    }
#pragma GCC unroll 8
    for (int64_t r = 0; r < kTile; ++r) {
      _mm512_store_ps(&tile.scores[r][s - from], sums[r][0]);
      _mm512_store_ps(&tile.scores[r][s - from + kLanes], sums[r][1]);
    }
  }
}

// The rows' maxima so far, these scores included; for each row by what factor the sums before them
// shrink.
VQ_AVX512 __m512 raise_highest(int64_t count, float scale, Tile& tile) {
  __m512 high[kTile];
#pragma GCC unroll 8
  for (int64_t r = 0; r < kTile; ++r) high[r] = _mm512_load_ps(tile.scores[r]);
  for (int64_t s = kLanes; s < count; s += kLanes) {
#pragma GCC unroll 8
    for (int64_t r = 0; r < kTile; ++r)
      high[r] = _mm512_max_ps(high[r], _mm512_load_ps(tile.scores[r] + s));
  }
  const __m512 before = _mm512_load_ps(tile.highest);
#pragma GCC unroll 8
  for (int64_t r = 0; r < kTile; ++r)
    tile.highest[r] = std::max(tile.highest[r], _mm512_reduce_max_ps(high[r]));
  const __m512 less = _mm512_sub_ps(before, _mm512_load_ps(tile.highest));
  return exp2_cubic(_mm512_mul_ps(less, _mm512_set1_ps(scale)));
}

// Scores -> weights in bf16, powers of two of `scale` times them below the row's maximum, and their
// totals; what was summed before shrinks with the new maximum, `result` too.
VQ_AVX512 void soften(const Shape& n, int64_t from, int64_t to, float scale, Tile& tile,
                      float* result) {
  const __m512 factor = _mm512_set1_ps(scale);
  const int64_t count = to - from;
  for (int64_t s = n.keys - from; s < count; ++s)
    for (auto& row : tile.scores) row[s] = -std::numeric_limits<float>::infinity();
  alignas(64) float shrink[kLanes];
  _mm512_store_ps(shrink, raise_highest(count, scale, tile));
  for (int64_t r = 0; r < kTile; ++r) {
    const float* scores = tile.scores[r];
    const __m512 below = _mm512_set1_ps(-tile.highest[r] * scale);
    __m512 total = _mm512_mul_ps(_mm512_load_ps(tile.total[r]), _mm512_set1_ps(shrink[r]));
    for (int64_t s = 0; s < count; s += kKeys) {
      const __m512 a = exp2_cubic(_mm512_fmadd_ps(_mm512_load_ps(scores + s), factor, below));
      const __m512 b =
          exp2_cubic(_mm512_fmadd_ps(_mm512_load_ps(scores + s + kLanes), factor, below));
      total = _mm512_add_ps(total, _mm512_add_ps(a, b));
      _mm512_store_si512(&tile.weights[r][s / 2],
                         reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(b, a)));
    }
    _mm512_store_ps(tile.total[r], total);
    if (shrink[r] == 1 || from == 0) continue;
    for (int64_t v = 0; v < n.vectors; ++v) {
      float* at = result + (r * n.vectors + v) * kLanes;
      _mm512_storeu_ps(at, _mm512_mul_ps(_mm512_loadu_ps(at), _mm512_set1_ps(shrink[r])));
    }
  }
}

// result += weights times values, Vectors of 16 coordinates from `vector` on.
template <int Vectors>
VQ_AVX512 void gather(const Shape& n, const Tile& tile, const Word* values, int64_t from,
                      int64_t to, int64_t vector, float* result) {
  const int64_t padded = n.vectors * kLanes;
  __m512 sums[kTile][Vectors];
#pragma GCC unroll 8
  for (int64_t r = 0; r < kTile; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < Vectors; ++v)
      sums[r][v] = _mm512_loadu_ps(result + (r * n.vectors + vector + v) * kLanes);
  for (int64_t p = 0; p < (to - from) / 2; ++p) {
    const Word* row = values + (from / 2 + p) * padded + vector * kLanes;
    __m512i value[Vectors];
#pragma GCC unroll 4
    for (int v = 0; v < Vectors; ++v) value[v] = _mm512_loadu_si512(row + v * kLanes);
#pragma GCC unroll 8
    for (int64_t r = 0; r < kTile; ++r) {
      const __m512i weight = _mm512_set1_epi32(static_cast<int>(tile.weights[r][p]));
#pragma GCC unroll 4
      for (int v = 0; v < Vectors; ++v) sums[r][v] = multiply_add(sums[r][v], weight, value[v]);
    }
  }
#pragma GCC unroll 8
  for (int64_t r = 0; r < kTile; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < Vectors; ++v)
      _mm512_storeu_ps(result + (r * n.vectors + vector + v) * kLanes, sums[r][v]);
}

// Up to kTile rows of one head. `result` has kTile rows of n.vectors * 16 numbers.
VQ_AVX512 void attend_tile(const Shape& n, const Word* query, const Word* keys, const Word* values,
                           float scale, Tile& tile, float* result) {
  // The lowest there is, not infinity: differences of the maxima must be numbers.
  std::fill(tile.highest, tile.highest + kLanes, std::numeric_limits<float>::lowest());
  std::fill(tile.total[0], tile.total[0] + kTile * kLanes, 0.0F);
  std::fill(result, result + kTile * n.vectors * kLanes, 0.0F);
  for (int64_t from = 0; from < n.padded_keys; from += kStretch) {
    const int64_t to = std::min(from + kStretch, n.padded_keys);
    score(n, query, keys, from, to, tile);
    soften(n, from, to, scale, tile, result);
    int64_t v = 0;
    while (n.vectors - v >= 3 && n.vectors - v != 4) {
      gather<3>(n, tile, values, from, to, v, result);
      v += 3;
    }
    for (; n.vectors - v >= 2; v += 2) gather<2>(n, tile, values, from, to, v, result);
    if (v < n.vectors) gather<1>(n, tile, values, from, to, v, result);
  }
}

struct Scratch {
  std::vector<Word> keys, values, query;
  std::vector<float> result;
  Tile tile;
};

// One head of one batch item: rows (count) of `query` into `to`.
VQ_AVX512_ENTRY void attend_head(const Shape& n, Strided query, Strided key, Strided value,
                                 int64_t count, uint16_t* to, int64_t to_row, Scratch& s) {
  pack_keys(n, key, s.keys.data());
  pack_values(n, value, s.values.data());
  const float scale = static_cast<float>(M_LOG2E / std::sqrt(static_cast<double>(n.width)));
  for (int64_t row = 0; row < count; row += kTile) {
    const int64_t rows = std::min(kTile, count - row);
    std::fill(s.query.begin(), s.query.end(), 0);
    for (int64_t r = 0; r < rows; ++r)
      std::memcpy(s.query.data() + r * n.pairs, query.data + (row + r) * query.row,
                  sizeof(uint16_t) * n.width);
    attend_tile(n, s.query.data(), s.keys.data(), s.values.data(), scale, s.tile, s.result.data());
    for (int64_t r = 0; r < rows; ++r) {
      const float total = _mm512_reduce_add_ps(_mm512_load_ps(s.tile.total[r]));
      const __m512 over = _mm512_set1_ps(1 / total);
      for (int64_t v = 0; v < n.vectors; ++v) {
        const __m512 sum = _mm512_loadu_ps(s.result.data() + (r * n.vectors + v) * kLanes);
        store_bf16(to + (row + r) * to_row + v * kLanes, first_lanes(n.width - v * kLanes),
                   _mm512_mul_ps(sum, over));
      }
    }
  }
}

const uint16_t* bits(const at::Tensor& x) {
  return reinterpret_cast<const uint16_t*>(x.const_data_ptr<at::BFloat16>());
}

// Rows first..last-1 in pieces of whole tiles: those of one piece.
std::pair<int64_t, int64_t> piece_of_rows(int64_t first, int64_t last, int64_t piece,
                                          int64_t pieces) {
  const int64_t tiles = (last - first + kTile - 1) / kTile;
  const auto begin = [&](int64_t p) { return std::min(last, first + tiles * p / pieces * kTile); };
  return {begin(piece), begin(piece + 1)};
}

at::Tensor attend(const at::Tensor& query, const std::vector<int64_t>& first, const at::Tensor& key,
                  const at::Tensor& value, int64_t heads) {
  const int64_t width = query.size(1) / heads;
  Shape n{key.size(1), 0, width, (width + 1) / 2, (width + kLanes - 1) / kLanes};
  n.padded_keys = (n.keys + kKeys - 1) / kKeys * kKeys;
  const at::Tensor result = at::empty({query.size(0), query.size(1)}, query.options());
  auto* out = reinterpret_cast<uint16_t*>(result.mutable_data_ptr<at::BFloat16>());
  // A head whole, or, where there are fewer heads than threads, in pieces.
  const int64_t whole = key.size(0) * heads;
  if (whole == 0) return result;
  const int64_t pieces = std::max<int64_t>(1, at::get_num_threads() / whole);
  in_shares(whole * pieces, 1, [&](int64_t begin, int64_t end) {
    Scratch s;
    s.keys.resize(n.padded_keys * n.pairs);
    s.values.resize(n.padded_keys / 2 * n.vectors * kLanes);
    s.query.resize(kTile * n.pairs);
    s.result.resize(kTile * n.vectors * kLanes);
    for (int64_t i = begin; i < end; ++i) {
      const int64_t item = i / pieces / heads, offset = i / pieces % heads * width;
      const auto [from, to] = piece_of_rows(first[item], first[item + 1], i % pieces, pieces);
      if (to == from) continue;
      const auto of = [&](const at::Tensor& x) {
        return Strided{bits(x) + item * x.stride(0) + offset, x.stride(1)};
      };
      const Strided q{bits(query) + from * query.stride(0) + offset, query.stride(0)};
      attend_head(n, q, of(key), of(value), to - from, out + from * query.size(1) + offset,
                  query.size(1), s);
    }
  });
  return result;
}

#endif

}  // namespace

at::Tensor attention_bf16(const at::Tensor& query, const std::vector<int64_t>& first,
                          const at::Tensor& key, const at::Tensor& value, int64_t heads) {
#if defined(__x86_64__)
  const auto fits = [](const at::Tensor& x) {
    return x.is_cpu() && x.scalar_type() == at::kBFloat16 && x.stride(-1) == 1;
  };
  if (has_avx512_bf16() && fits(query) && fits(key) && fits(value))
    return attend(query, first, key, value, heads);
#endif
  return attention_plain(query, first, key, value, heads);
}

at::Tensor attention_plain(const at::Tensor& query, const std::vector<int64_t>& first,
                           const at::Tensor& key, const at::Tensor& value, int64_t heads) {
  std::vector<at::Tensor> parts;
  for (int64_t b = 0; b < key.size(0); ++b) {
    const at::Tensor rows = query.slice(0, first[b], first[b + 1]);
    parts.push_back(at::scaled_dot_product_attention(by_head(rows, heads), by_head(key[b], heads),
                                                     by_head(value[b], heads))
                        .squeeze(0)
                        .transpose(0, 1)
                        .flatten(1));
  }
  return at::cat(parts);
}

}  // namespace vq
