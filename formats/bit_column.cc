#include "formats/bit_column.h"

#include <array>
#include <bit>
#include <cstring>
#include <utility>

#include "formats/bytes.h"

namespace vq {
namespace {

constexpr int kMaxBits = 16;
constexpr size_t kGroup = 8;
// Loops over so many, and a promise that arrays do not overlap, let the compiler take vectors.
constexpr size_t kPiece = 32;

// In one piece: where the compiler knows some of v's bytes, it would write all eight one by one.
void store_u64(uint8_t* p, uint64_t v) {
  if constexpr (std::endian::native == std::endian::little) {
    std::memcpy(p, &v, sizeof(v));
  } else {
    for (int i = 0; i < 8; ++i) p[i] = static_cast<uint8_t>(v >> (8 * i));
  }
}

uint64_t four_numbers(const uint16_t* p) {
  return p[0] | uint64_t{p[1]} << 16 | uint64_t{p[2]} << 32 | uint64_t{p[3]} << 48;
}

// Numbers of kBits, each in 16, move together: two by two, then both pairs.
template <int kBits>
uint64_t four_packed(uint64_t four) {
  constexpr uint64_t kNumber = (uint64_t{1} << kBits) - 1;
  constexpr uint64_t kFirsts = kNumber | kNumber << 32;
  constexpr uint64_t kPair = (uint64_t{1} << (2 * kBits)) - 1;
  const uint64_t pairs = (four & kFirsts) | (four >> (16 - kBits) & kFirsts << kBits);
  return (pairs & kPair) | (pairs >> (32 - 2 * kBits) & kPair << (2 * kBits));
}

// Groups of eight, with the number of bits known to the compiler: shifts become constants.
template <int kBits>
void pack_groups(uint8_t* to, const uint16_t* from, size_t groups, int shift) {
  for (; groups > 0; --groups, from += kGroup, to += kBits) {
    const uint64_t low = four_packed<kBits>(four_numbers(from) >> shift);
    const uint64_t high = four_packed<kBits>(four_numbers(from + 4) >> shift);
    if constexpr (kBits == kMaxBits) {
      store_u64(to, low);
      store_u64(to + 8, high);
    } else {
      store_u64(to, low | high << (4 * kBits));
      if constexpr (kBits > 8) store_u64(to + 8, high >> (64 - 4 * kBits));
    }
  }
}

template <bool kHigh>
void put(int32_t& to, uint64_t value) {
  to = kHigh ? to | static_cast<int32_t>(value << 8) : static_cast<int32_t>(value);
}

template <int kBits, bool kHigh>
void unpack_groups(const uint8_t* from, int32_t* to, size_t groups) {
  constexpr uint64_t kMask = (uint64_t{1} << kBits) - 1;
  for (; groups > 0; --groups, from += kBits, to += kGroup) {
    if constexpr (kBits <= 8) {
      const uint64_t word = load_u64(from);
      for (int i = 0; i < 8; ++i) put<kHigh>(to[i], word >> (i * kBits) & kMask);
    } else {
      for (int i = 0; i < 8; ++i) {
        put<kHigh>(to[i], load_u64(from + i * kBits / 8) >> (i * kBits % 8) & kMask);
      }
    }
  }
}

using PackGroups = void (*)(uint8_t*, const uint16_t*, size_t, int);
using UnpackGroups = void (*)(const uint8_t*, int32_t*, size_t);

template <int... kBits>
constexpr auto packers(std::integer_sequence<int, kBits...>) {
  return std::array<PackGroups, kMaxBits>{pack_groups<kBits + 1>...};
}
template <bool kHigh, int... kBits>
constexpr auto unpackers(std::integer_sequence<int, kBits...>) {
  return std::array<UnpackGroups, kMaxBits>{unpack_groups<kBits + 1, kHigh>...};
}

using EveryWidth = std::make_integer_sequence<int, kMaxBits>;
constexpr auto kPackers = packers(EveryWidth{});
constexpr auto kUnpackers = unpackers<false>(EveryWidth{});
constexpr auto kHighUnpackers = unpackers<true>(EveryWidth{});

template <bool kHigh>
void unpack(const uint8_t* column, uint64_t first, int32_t* to, size_t n, int bits) {
  if (bits == 0) {
    for (size_t i = 0; i < n && !kHigh; ++i) to[i] = 0;
    return;
  }
  const uint64_t mask = (uint64_t{1} << bits) - 1;
  const auto some = [&](size_t count) {
    for (; count > 0; --count, --n, ++first, ++to) {
      const uint64_t bit = first * static_cast<uint64_t>(bits);
      put<kHigh>(*to, load_u64(column + bit / 8) >> (bit % 8) & mask);
    }
  };
  const size_t before = (kGroup - first % kGroup) % kGroup;  // where a group begins with a byte
  some(before < n ? before : n);
  const size_t groups = n / kGroup;
  const auto& table = kHigh ? kHighUnpackers : kUnpackers;
  table[static_cast<size_t>(bits - 1)](column + first / kGroup * static_cast<uint64_t>(bits), to,
                                       groups);
  first += groups * kGroup;
  to += groups * kGroup;
  n -= groups * kGroup;
  some(n);
}

}  // namespace

void pack_bits(uint8_t* to, const uint16_t* from, size_t n, int bits, int shift) {
  if (bits == 0) return;
  const size_t groups = n / kGroup;
  kPackers[static_cast<size_t>(bits - 1)](to, from, groups, shift);
  to += groups * static_cast<size_t>(bits);
  uint64_t word = 0;
  int used = 0;
  for (size_t i = groups * kGroup; i < n; ++i) {
    word |= static_cast<uint64_t>(from[i] >> shift) << used;
    for (used += bits; used >= 8; used -= 8, word >>= 8) *to++ = static_cast<uint8_t>(word);
  }
  if (used > 0) *to = static_cast<uint8_t>(word);
}

void narrow(uint16_t* __restrict to, const int32_t* __restrict from, size_t n) {
  for (; n >= kPiece; n -= kPiece, to += kPiece, from += kPiece) {
    for (size_t i = 0; i < kPiece; ++i) to[i] = static_cast<uint16_t>(from[i]);
  }
  for (size_t i = 0; i < n; ++i) to[i] = static_cast<uint16_t>(from[i]);
}

void pack_low_bytes(uint8_t* __restrict to, const uint16_t* __restrict from, size_t n) {
  for (; n >= kPiece; n -= kPiece, to += kPiece, from += kPiece) {
    for (size_t i = 0; i < kPiece; ++i) to[i] = static_cast<uint8_t>(from[i]);
  }
  for (size_t i = 0; i < n; ++i) to[i] = static_cast<uint8_t>(from[i]);
}

void unpack_bits(const uint8_t* column, uint64_t first, int32_t* to, size_t n, int bits) {
  unpack<false>(column, first, to, n, bits);
}

void unpack_high_bits(const uint8_t* column, uint64_t first, int32_t* to, size_t n, int bits) {
  unpack<true>(column, first, to, n, bits);
}

bool all_below(const int32_t* numbers, size_t n, int32_t k) {
  // The highest bit of either tells: of t when it is negative, of k - 1 - t when it is too large.
  const uint32_t last = static_cast<uint32_t>(k) - 1;
  const auto odd = [&](const int32_t* from, size_t count) {
    uint32_t any = 0;
    for (size_t i = 0; i < count; ++i) {
      const uint32_t t = static_cast<uint32_t>(from[i]);
      any |= t | (last - t);
    }
    return any;
  };
  uint32_t any = 0;
  for (; n >= kPiece; n -= kPiece, numbers += kPiece) any |= odd(numbers, kPiece);
  return (any | odd(numbers, n)) >> 31 == 0;
}

}  // namespace vq
