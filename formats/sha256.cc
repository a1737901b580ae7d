// SHA-256 as FIPS 180-4 defines it: the identity of codecs and models. Written here because it is
// a hundred lines, and a cryptography library would be a dependency of every program for one
// number.

#include <array>
#include <cstring>

#include "formats/bytes.h"
#include "formats/sha256_blocks.h"

namespace vq {

std::string sha256(std::span<const uint8_t> bytes) {
  const auto take = has_sha256_instructions() ? sha256_blocks_x86 : sha256_blocks_plain;
  Sha256State state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                       0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  const size_t at = bytes.size() / 64 * 64;
  take(state, bytes.data(), at / 64);

  // The rest, a one bit, zeros, and the length in bits: one block or two.
  std::array<uint8_t, 128> tail{};
  const size_t rest = bytes.size() - at;
  if (rest > 0) std::memcpy(tail.data(), bytes.data() + at, rest);
  tail[rest] = 0x80;
  const size_t size = rest + 9 <= 64 ? 64 : 128;
  const uint64_t bits = static_cast<uint64_t>(bytes.size()) * 8;
  for (int i = 0; i < 8; ++i) tail[size - 1 - i] = static_cast<uint8_t>(bits >> (8 * i));
  take(state, tail.data(), size / 64);

  std::string hex;
  for (uint32_t word : state) {
    for (int shift = 28; shift >= 0; shift -= 4) hex += "0123456789abcdef"[word >> shift & 15];
  }
  return hex;
}

}  // namespace vq
