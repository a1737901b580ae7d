#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "lib/random.h"
#include "lib/runtime/cuda/floats.h"

namespace vq {
namespace {

TEST(CudaFloats, HalvesAreWhatLibTorchTakesThemFor) {
  for (uint32_t n = 0; n < 1 << 16; ++n) {
    const auto bits = static_cast<uint16_t>(n);
    const float fp16 = at::Half(bits, at::Half::from_bits());
    const float bf16 = at::BFloat16(bits, at::BFloat16::from_bits());
    const float ours16 = to_float(Fp16Bits{bits}), ours_bf = to_float(Bf16Bits{bits});
    if (std::isnan(fp16)) {
      ASSERT_TRUE(std::isnan(ours16)) << n;
    } else {
      ASSERT_EQ(bits_of(ours16), bits_of(fp16)) << n;
    }
    ASSERT_EQ(bits_of(ours_bf), bits_of(bf16)) << n;
  }
}

TEST(CudaFloats, RoundsToBf16AsLibTorchDoes) {
  const auto expect = [](uint32_t bits) {
    const float value = float_of(bits);
    const auto want = static_cast<at::BFloat16>(value);
    const Bf16Bits got = to_bf16(value);
    if (std::isnan(value)) {
      ASSERT_TRUE(std::isnan(to_float(got))) << bits;
    } else {
      ASSERT_EQ(got.bits, want.x) << bits;
    }
  };
  // Every exponent and sign, with what lies at, beside and between two halves.
  for (uint32_t high = 0; high < 1 << 16; ++high) {
    for (const uint32_t low : {0u, 1u, 0x7fffu, 0x8000u, 0x8001u, 0xffffu}) {
      expect(high << 16 | low);
    }
  }
}

}  // namespace
}  // namespace vq
