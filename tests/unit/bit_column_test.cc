#include "formats/bit_column.h"

#include <gtest/gtest.h>

#include <random>

#include "formats/bytes.h"

namespace vq {
namespace {

// Bit by bit, as the page says it.
Bytes packed_slowly(const std::vector<uint16_t>& numbers, int bits, int shift) {
  Bytes out((numbers.size() * bits + 7) / 8);
  size_t at = 0;
  for (const uint16_t number : numbers) {
    for (int bit = 0; bit < bits; ++bit, ++at) {
      if (number >> (shift + bit) & 1) out[at / 8] |= static_cast<uint8_t>(1 << (at % 8));
    }
  }
  return out;
}

TEST(BitColumn, EveryWidthLengthAndPlace) {
  std::mt19937 random(1);
  for (const int shift : {0, 8}) {
    for (int bits = 0; bits + shift <= 16; ++bits) {
      for (const size_t n : {0u, 1u, 7u, 8u, 9u, 16u, 43u, 128u}) {
        std::vector<uint16_t> numbers(n);
        for (uint16_t& number : numbers) {
          number = static_cast<uint16_t>(random() & ((1u << (bits + shift)) - 1));
        }
        const Bytes expected = packed_slowly(numbers, bits, shift);
        Bytes bytes(expected.size() + kColumnSlack, 0xEE);
        pack_bits(bytes.data(), numbers.data(), n, bits, shift);
        EXPECT_TRUE(std::equal(expected.begin(), expected.end(), bytes.begin()))
            << bits << " " << n;
        for (size_t first = 0; first <= n; ++first) {
          std::vector<int32_t> got(n - first, 0x12), high = got;
          unpack_bits(bytes.data(), first, got.data(), got.size(), bits);
          unpack_high_bits(bytes.data(), first, high.data(), high.size(), bits);
          for (size_t i = first; i < n; ++i) {
            EXPECT_EQ(got[i - first], numbers[i] >> shift) << bits << " " << n << " " << first;
            EXPECT_EQ(high[i - first], 0x12 | numbers[i] >> shift << 8);
          }
        }
      }
    }
  }
}

TEST(BitColumn, NarrowAndLowBytes) {
  std::mt19937 random(1);
  for (size_t n = 0; n <= 100; ++n) {
    std::vector<int32_t> wide(n);
    for (int32_t& number : wide) number = static_cast<int32_t>(random());
    std::vector<uint16_t> numbers(n + 1, 0xEEEE);
    narrow(numbers.data(), wide.data(), n);
    for (size_t i = 0; i < n; ++i) EXPECT_EQ(numbers[i], wide[i] & 0xFFFF) << i << " of " << n;
    EXPECT_EQ(numbers[n], 0xEEEE) << n;
    Bytes bytes(n + 1, 0xEE);
    pack_low_bytes(bytes.data(), numbers.data(), n);
    for (size_t i = 0; i < n; ++i) EXPECT_EQ(bytes[i], numbers[i] & 0xFF) << i << " of " << n;
    EXPECT_EQ(bytes[n], 0xEE) << n;
  }
}

TEST(BitColumn, AllBelow) {
  for (const int32_t k : {1, 2, 512, 65536}) {
    for (const size_t n : {1u, 5u, 32u, 77u}) {
      for (size_t at = 0; at < n; ++at) {
        for (const int32_t odd : {0, k - 1, k, k + 1, -1, INT32_MIN, INT32_MAX}) {
          std::vector<int32_t> numbers(n, 0);
          numbers[at] = odd;
          EXPECT_EQ(all_below(numbers.data(), n, k), odd >= 0 && odd < k) << odd << " of " << k;
        }
      }
    }
  }
  EXPECT_TRUE(all_below(nullptr, 0, 1));
}

}  // namespace
}  // namespace vq
