#include "lib/random.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <numeric>

#include "lib/philox.h"

namespace vq {

std::array<uint32_t, 4> philox(uint64_t seed, std::array<uint32_t, 4> counter) {
  const PhiloxWords bits = philox_words(seed, {{counter[0], counter[1], counter[2], counter[3]}});
  return {bits.word[0], bits.word[1], bits.word[2], bits.word[3]};
}

Pair uniform_pair(uint64_t seed, Purpose purpose, Counter at) {
  const PhiloxWords bits = philox_words(
      seed, noise_counter(static_cast<uint32_t>(purpose), at.record, at.step, at.position));
  return {first_uniform(bits), second_uniform(bits)};
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
