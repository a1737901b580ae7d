#include "lib/random.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

namespace vq {
namespace {

using Words = std::array<uint32_t, 4>;

// The first three known-answer vectors of philox4x32-10 in Random123; the third is digits of pi.
TEST(Philox, KnownAnswers) {
  EXPECT_EQ(philox(0, Words{0, 0, 0, 0}), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  const uint32_t ones = 0xffffffff;
  EXPECT_EQ(philox(~uint64_t{0}, Words{ones, ones, ones, ones}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox(0x299f31d0a4093822, Words{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Uniform, DependsOnEveryCoordinate) {
  std::set<double> seen;
  for (uint64_t seed : {1, 2}) {
    for (Purpose purpose : {Purpose::sample, Purpose::boot}) {
      for (uint64_t record : {uint64_t{0}, uint64_t{1}, uint64_t{1} << 32}) {
        for (uint32_t step : {0u, 1u}) {
          for (uint32_t position : {0u, 1u}) {
            const Pair pair = uniform_pair(seed, purpose, {record, step, position});
            seen.insert(pair.first);
            seen.insert(pair.second);
          }
        }
      }
    }
  }
  EXPECT_EQ(seen.size(), 2u * 2 * 2 * 3 * 2 * 2);
}

TEST(Uniform, GridAndSinglesAgree) {
  const UniformGrid grid = uniform_grid(7, Purpose::order, {5, 3, 9}, 2, 4);
  ASSERT_EQ(grid.first.sizes(), (at::IntArrayRef{3, 4}));
  const Pair pair = uniform_pair(7, Purpose::order, {9, 2, 1});
  EXPECT_EQ(grid.first[2][1].item<double>(), pair.first);
  EXPECT_EQ(grid.second[2][1].item<double>(), pair.second);
  const UniformGrid alone = uniform_grid(7, Purpose::order, {3}, 2, 4);
  EXPECT_TRUE(at::equal(grid.first[1], alone.first[0]));
}

// 255 degrees of freedom: 1 value in 10^6 lies above 368, 1 in 10^6 below 168.
TEST(Uniform, ChiSquare) {
  constexpr int kBins = 256, kCount = 1 << 18;
  for (bool second : {false, true}) {
    std::vector<int> bins(kBins);
    for (int i = 0; i < kCount; ++i) {
      const Pair pair = uniform_pair(
          42, Purpose::sample, {static_cast<uint64_t>(i / 64), 0, static_cast<uint32_t>(i % 64)});
      const double u = second ? pair.second : pair.first;
      ++bins[static_cast<size_t>(u * kBins)];
    }
    double chi_square = 0;
    const double expected = static_cast<double>(kCount) / kBins;
    for (int n : bins) chi_square += (n - expected) * (n - expected) / expected;
    EXPECT_GT(chi_square, 168);
    EXPECT_LT(chi_square, 368);
  }
}

TEST(Uniform, TwoPurposesAreUncorrelated) {
  constexpr int kCount = 1 << 16;
  double sum = 0;
  for (int i = 0; i < kCount; ++i) {
    const Counter at{static_cast<uint64_t>(i), 3, 1};
    sum += (uniform(1, Purpose::sample, at) - 0.5) * (uniform(1, Purpose::order, at) - 0.5);
  }
  EXPECT_LT(std::abs(sum / kCount * 12), 5 / std::sqrt(static_cast<double>(kCount)));
}

// For one seed the generator is a bijection of its counters, so it can be run backwards to the
// counter that gives wanted words: extremes need not be waited for.
Words philox_backwards(uint64_t seed, Words c) {
  const auto inverse = [](uint32_t m) {  // of an odd number modulo 2^32, by Newton
    uint32_t x = m;
    for (int i = 0; i < 5; ++i) x *= 2 - m * x;
    return x;
  };
  constexpr uint32_t m0 = 0xD2511F53, m1 = 0xCD9E8D57;
  for (int round = 9; round >= 0; --round) {
    const auto r = static_cast<uint32_t>(round);
    const uint32_t key0 = static_cast<uint32_t>(seed) + r * 0x9E3779B9;
    const uint32_t key1 = static_cast<uint32_t>(seed >> 32) + r * 0xBB67AE85;
    const uint32_t c0 = c[3] * inverse(m0), c2 = c[1] * inverse(m1);
    const auto high = [](uint32_t m, uint32_t x) {
      return static_cast<uint32_t>(static_cast<uint64_t>(m) * x >> 32);
    };
    c = {c0, c[0] ^ high(m1, c2) ^ key0, c2, c[2] ^ high(m0, c0) ^ key1};
  }
  return c;
}

Pair uniform_with_words(const Words& words) {
  const Words counter = philox_backwards(11, words);
  EXPECT_EQ(philox(11, counter), words);
  const auto purpose = static_cast<Purpose>(counter[2] >> 28);
  return uniform_pair(
      11, purpose,
      {static_cast<uint64_t>(counter[1]) << 32 | counter[0], counter[2] & 0x0fffffff, counter[3]});
}

TEST(Uniform, ExtremesStayInsideTheInterval) {
  const uint32_t ones = 0xffffffff;
  const Pair pair = uniform_with_words({0, 0, ones, ones});
  EXPECT_EQ(pair.first, 0x1p-53);
  EXPECT_EQ(pair.second, 1 - 0x1p-53);
}

TEST(Uniform, EveryValueIsTheMiddleOfAnInterval) {
  for (uint64_t record = 0; record < 10000; ++record) {
    const double scaled = uniform(3, Purpose::corrupt, {record, 0, 0}) * 0x1p52;
    EXPECT_EQ(scaled - std::floor(scaled), 0.5);
  }
}

// Events rarer than 2^-32 exist, and their neighbours are told apart.
TEST(Uniform, RareEventsAreResolved) {
  const Pair rare = uniform_with_words({4, 0x12345678, 4, 0x12346678});
  EXPECT_NEAR(rare.first, 4 * 0x1p-32, 0x1p-32);
  EXPECT_LT(rare.first, 1e-9 * 1.01);
  EXPECT_LT(rare.first, rare.second);
}

TEST(Permutation, HoldsEveryNumberOnce) {
  for (int64_t n : {0, 1, 2, 7, 1000}) {
    std::vector<int64_t> order = permutation(5, 0, n);
    std::sort(order.begin(), order.end());
    ASSERT_EQ(static_cast<int64_t>(order.size()), n);
    for (int64_t i = 0; i < n; ++i) EXPECT_EQ(order[static_cast<size_t>(i)], i);
  }
}

TEST(Permutation, DependsOnSeedAndRoundAlone) {
  EXPECT_EQ(permutation(5, 3, 100), permutation(5, 3, 100));
  EXPECT_NE(permutation(5, 3, 100), permutation(5, 4, 100));
  EXPECT_NE(permutation(5, 3, 100), permutation(6, 3, 100));
}

// All 24 orders of four are equally frequent: 23 degrees of freedom, 1 in 10^6 above 70.
TEST(Permutation, IsUniform) {
  std::map<std::vector<int64_t>, int> counts;
  constexpr uint32_t kRounds = 24000;
  for (uint32_t round = 0; round < kRounds; ++round) ++counts[permutation(9, round, 4)];
  EXPECT_EQ(counts.size(), 24u);
  double chi_square = 0;
  for (const auto& [order, n] : counts) chi_square += (n - 1000.0) * (n - 1000.0) / 1000;
  EXPECT_LT(chi_square, 70);
}

TEST(DeriveSeed, DependsOnSeedAndName) {
  std::set<uint64_t> seen;
  for (uint64_t seed : {0, 1}) {
    for (const char* name : {"", "a", "b", "ab", "ba"}) seen.insert(derive_seed(seed, name));
  }
  EXPECT_EQ(seen.size(), 10u);
}

}  // namespace
}  // namespace vq
