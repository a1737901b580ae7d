// Noise as a pure function of (seed, record, step, position): the same for any batch size, order or
// machine.
//
// A counter-based generator, Philox-4x32-10 (Salmon et al., "Parallel random numbers: as easy as
// 1, 2, 3", SC 2011; test vectors from its Random123 distribution), keyed by the seed and counting
// (record, step, position). There is no state to keep, split or restore.
//
// Laws: the value at one counter does not depend on which others are asked for; every uniform lies
// strictly between 0 and 1, the middle of one of 2^52 equal intervals, so events of probability
// 1e-9 occur as often as they should.                                              (random_test.cc)
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <vector>

namespace vq {

// What a number is for; two purposes never share one.
enum class Purpose : uint32_t {
  sample = 0,    // sampling: whether a position changes, and to which token
  order = 1,     // sampling: which positions become final
  corrupt = 2,   // training: the forward process
  timestep = 3,  // training: which t
  drop = 4,      // training: which conditions are dropped
  shuffle = 5,   // order of records in an epoch
  augment = 6,   // crops, flips
  init = 7,      // codebook start, restarted codes
  boot = 8,      // bootstrap of statistics
  start = 9,     // sampling: how a given grid is made noisy at first
  code = 10,     // encoding: which code a cell takes where codes are drawn
};

struct Counter {
  uint64_t record = 0;
  uint32_t step = 0;  // below 2^28
  uint32_t position = 0;
};

// The raw generator: 128 random bits.
std::array<uint32_t, 4> philox(uint64_t seed, std::array<uint32_t, 4> counter);

// Two independent uniforms of one counter.
struct Pair {
  double first, second;
};
Pair uniform_pair(uint64_t seed, Purpose purpose, Counter at);
inline double uniform(uint64_t seed, Purpose purpose, Counter at) {
  return uniform_pair(seed, purpose, at).first;
}

// first, second (B, L) double on the CPU: row b belongs to records[b], column l to position l.
struct UniformGrid {
  at::Tensor first, second;
};
UniformGrid uniform_grid(uint64_t seed, Purpose purpose, const std::vector<uint64_t>& records,
                         uint32_t step, int64_t length);

// A permutation of 0..n-1 that depends on (seed, round) alone.
std::vector<int64_t> permutation(uint64_t seed, uint32_t round, int64_t n);

// A 64-bit seed from one seed and a name, for generators that need a state (weight initialisation).
uint64_t derive_seed(uint64_t seed, const char* name);

}  // namespace vq
