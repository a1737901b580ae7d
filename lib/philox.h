// The arithmetic of random.h, one copy for host and device: Philox-4x32-10 and what is made of its
// bits. No LibTorch here, so that a CUDA compiler can read it. (random_test.cc)
#pragma once

#include <cstdint>

#include "lib/host_device.h"

namespace vq {

struct PhiloxWords {
  uint32_t word[4];
};

// 128 random bits of one counter (Salmon et al. 2011).
VQ_HOST_DEVICE inline PhiloxWords philox_words(uint64_t seed, PhiloxWords counter) {
  constexpr uint32_t multiplier0 = 0xD2511F53, multiplier1 = 0xCD9E8D57;
  constexpr uint32_t weyl0 = 0x9E3779B9, weyl1 = 0xBB67AE85;  // golden ratio, sqrt(3) - 1
  constexpr int rounds = 10;
  uint32_t* const c = counter.word;
  uint32_t key0 = static_cast<uint32_t>(seed), key1 = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < rounds; ++round) {
    const uint64_t a = static_cast<uint64_t>(multiplier0) * c[0];
    const uint64_t b = static_cast<uint64_t>(multiplier1) * c[2];
    c[0] = static_cast<uint32_t>(b >> 32) ^ c[1] ^ key0;
    c[1] = static_cast<uint32_t>(b);
    c[2] = static_cast<uint32_t>(a >> 32) ^ c[3] ^ key1;
    c[3] = static_cast<uint32_t>(a);
    key0 += weyl0;
    key1 += weyl1;
  }
  return counter;
}

// Which counter belongs to one place: purpose as Purpose counts, step below 2^28.
inline constexpr int kPurposeShift = 28;
VQ_HOST_DEVICE inline PhiloxWords noise_counter(uint32_t purpose, uint64_t record, uint32_t step,
                                                uint32_t position) {
  return {{static_cast<uint32_t>(record), static_cast<uint32_t>(record >> 32),
           step | purpose << kPurposeShift, position}};
}

// The middle of one of 2^52 equal intervals of (0, 1). One bit more, and the half would be rounded
// away above 1/2, and the last interval's middle to 1.
VQ_HOST_DEVICE inline double middle_of_interval(uint32_t high, uint32_t low) {
  const uint64_t bits = (static_cast<uint64_t>(high) << 32 | low) >> 12;
  return (static_cast<double>(bits) + 0.5) * 0x1.0p-52;
}

VQ_HOST_DEVICE inline double first_uniform(const PhiloxWords& bits) {
  return middle_of_interval(bits.word[0], bits.word[1]);
}
VQ_HOST_DEVICE inline double second_uniform(const PhiloxWords& bits) {
  return middle_of_interval(bits.word[2], bits.word[3]);
}

}  // namespace vq
