// Bit columns: numbers of n bits one behind the other, lowest bit first, without gaps
// (token_grid.md, "Conventions"). Eight numbers at once, because they begin and end with a byte.
//
// Laws: unpacking what was packed gives the same numbers; the bytes are those of packing bit by
// bit. (bit_column_test.cc)
#pragma once

#include <cstddef>
#include <cstdint>

namespace vq {

// What lies behind a column and may be read, or overwritten, with it.
inline constexpr size_t kColumnSlack = 8;

// Packs from[i] >> shift, which must fit in `bits` (0 .. 16) bits, into ceil(n * bits / 8) bytes;
// bits behind the last number are zero. Overwrites up to kColumnSlack bytes behind them.
void pack_bits(uint8_t* to, const uint16_t* from, size_t n, int bits, int shift);

// to[i] = the low 16 bits of from[i], which may not overlap with it; and the low 8.
void narrow(uint16_t* to, const int32_t* from, size_t n);
void pack_low_bytes(uint8_t* to, const uint16_t* from, size_t n);

// to[i] = number first + i of the column. Reads up to kColumnSlack bytes behind the last one.
void unpack_bits(const uint8_t* column, uint64_t first, int32_t* to, size_t n, int bits);
// to[i] |= number first + i, times 256.
void unpack_high_bits(const uint8_t* column, uint64_t first, int32_t* to, size_t n, int bits);

// Is every number 0 .. k-1?
bool all_below(const int32_t* numbers, size_t n, int32_t k);

}  // namespace vq
