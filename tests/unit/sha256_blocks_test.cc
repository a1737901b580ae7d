#include "formats/sha256_blocks.h"

#include <gtest/gtest.h>

#include <random>

#include "formats/bytes.h"
#include "tests/unit/temp_folder.h"

namespace vq {
namespace {

constexpr Sha256State kStart = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

// FIPS 180-4's example "abc", padded: its digest is the state.
TEST(Sha256Blocks, PlainAsPublished) {
  Bytes block(64);
  block[0] = 'a', block[1] = 'b', block[2] = 'c', block[3] = 0x80, block[63] = 24;
  Sha256State state = kStart;
  sha256_blocks_plain(state, block.data(), 1);
  const Sha256State expected = {0xba7816bf, 0x8f01cfea, 0x414140de, 0x5dae2223,
                                0xb00361a3, 0x96177a9c, 0xb410ff61, 0xf20015ad};
  EXPECT_EQ(state, expected);
}

TEST(Sha256Blocks, BothGiveTheSameState) {
  if (!has_sha256_instructions()) {
    Sha256State state = kStart;
    const Bytes block(64);
    EXPECT_NE(error_of([&] { sha256_blocks_x86(state, block.data(), 1); }), "no error");
    GTEST_SKIP() << "this processor has no instructions for SHA-256";
  }
  std::mt19937 random(1);
  Sha256State one = kStart, other = kStart;
  for (const size_t count : {0u, 1u, 2u, 3u, 17u, 200u}) {
    Bytes bytes(64 * count + 1);
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
    for (const size_t odd : {0u, 1u}) {  // blocks lie anywhere
      const Sha256State before = one;
      sha256_blocks_plain(one, bytes.data() + odd, count);
      sha256_blocks_x86(other, bytes.data() + odd, count);
      ASSERT_EQ(one, other) << count << " blocks";
      EXPECT_EQ(one == before, count == 0);
    }
  }
}

}  // namespace
}  // namespace vq
