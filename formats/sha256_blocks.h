// What SHA-256 does with whole blocks of 64 bytes, twice: in plain C++, and by the processor's own
// instructions where it has them, several times as fast. Both give the same state. Internal to
// formats; sha256() of bytes.h takes the faster one.                      (sha256_blocks_test.cc)
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace vq {

using Sha256State = std::array<uint32_t, 8>;  // a .. h of FIPS 180-4

void sha256_blocks_plain(Sha256State& state, const uint8_t* blocks, size_t count);

// May the other be called here?
bool has_sha256_instructions();
// Throws vq::Error where there are none.
void sha256_blocks_x86(Sha256State& state, const uint8_t* blocks, size_t count);

}  // namespace vq
