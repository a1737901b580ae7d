#include "lib/random.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <numeric>

namespace vq {
namespace {

constexpr uint32_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57;  // Philox-4x32
constexpr uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;  // golden ratio, sqrt(3) - 1
constexpr int kRounds = 10;
constexpr int kPurposeShift = 28;

// The middle of one of 2^52 equal intervals of (0, 1). One bit more, and the half would be rounded
// away above 1/2, and the last interval's middle to 1.
double to_unit(uint32_t high, uint32_t low) {
  const uint64_t bits = (static_cast<uint64_t>(high) << 32 | low) >> 12;
  return (static_cast<double>(bits) + 0.5) * 0x1.0p-52;
}

}  // namespace

std::array<uint32_t, 4> philox(uint64_t seed, std::array<uint32_t, 4> c) {
  uint32_t key0 = static_cast<uint32_t>(seed), key1 = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < kRounds; ++round) {
    const uint64_t a = static_cast<uint64_t>(kMultiplier0) * c[0];
    const uint64_t b = static_cast<uint64_t>(kMultiplier1) * c[2];
    c = {static_cast<uint32_t>(b >> 32) ^ c[1] ^ key0, static_cast<uint32_t>(b),
         static_cast<uint32_t>(a >> 32) ^ c[3] ^ key1, static_cast<uint32_t>(a)};
    key0 += kWeyl0;
    key1 += kWeyl1;
  }
  return c;
}

Pair uniform_pair(uint64_t seed, Purpose purpose, Counter at) {
  const uint32_t step = at.step | static_cast<uint32_t>(purpose) << kPurposeShift;
  const auto bits = philox(seed, {static_cast<uint32_t>(at.record),
                                  static_cast<uint32_t>(at.record >> 32), step, at.position});
  return {to_unit(bits[0], bits[1]), to_unit(bits[2], bits[3])};
}

UniformGrid uniform_grid(uint64_t seed, Purpose purpose, const std::vector<uint64_t>& records,
                         uint32_t step, int64_t length) {
  const auto rows = static_cast<int64_t>(records.size());
  UniformGrid grid{at::empty({rows, length}, at::kDouble), at::empty({rows, length}, at::kDouble)};
  double* first = grid.first.data_ptr<double>();
  double* second = grid.second.data_ptr<double>();
  for (int64_t b = 0; b < rows; ++b) {
    for (int64_t l = 0; l < length; ++l) {
      const Pair pair = uniform_pair(
          seed, purpose, {records[static_cast<size_t>(b)], step, static_cast<uint32_t>(l)});
      *first++ = pair.first;
      *second++ = pair.second;
    }
  }
  return grid;
}

std::vector<int64_t> permutation(uint64_t seed, uint32_t round, int64_t n) {
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), int64_t{0});
  // Fisher-Yates from the end; the modulo bias of 52 bits over n is below 2^-20 for n up to 2^32.
  for (int64_t i = n - 1; i > 0; --i) {
    const double u = uniform(seed, Purpose::shuffle, {static_cast<uint64_t>(i), round, 0});
    const auto j = static_cast<int64_t>(u * static_cast<double>(i + 1));
    std::swap(order[static_cast<size_t>(i)], order[static_cast<size_t>(j)]);
  }
  return order;
}

uint64_t derive_seed(uint64_t seed, const char* name) {
  uint64_t hash = 0xCBF29CE484222325;  // FNV-1a over the name, then mixed with the seed by Philox
  for (const char* p = name; *p != 0; ++p) {
    hash = (hash ^ static_cast<unsigned char>(*p)) * 0x100000001B3;
  }
  const auto bits = philox(seed, {static_cast<uint32_t>(hash), static_cast<uint32_t>(hash >> 32),
                                  static_cast<uint32_t>(Purpose::init) << kPurposeShift, 0});
  return static_cast<uint64_t>(bits[0]) << 32 | bits[1];
}

}  // namespace vq
