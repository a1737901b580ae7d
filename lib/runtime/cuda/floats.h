// Half-precision numbers as their 16 bits, to and from float, the same on host and device and
// without CUDA's or LibTorch's headers. (cuda_floats_test.cc, against LibTorch's own, every one of
// them)
#pragma once

#include <cstdint>
#include <cstring>

#include "lib/host_device.h"

namespace vq {

struct Bf16Bits {
  uint16_t bits;
};
struct Fp16Bits {
  uint16_t bits;
};

VQ_HOST_DEVICE inline uint32_t bits_of(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}
VQ_HOST_DEVICE inline float float_of(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

VQ_HOST_DEVICE inline float to_float(float value) { return value; }
VQ_HOST_DEVICE inline float to_float(Bf16Bits half) {
  return float_of(static_cast<uint32_t>(half.bits) << 16);
}
// The exponent counts from 15 there and from 127 here: the product with 2^112 also puts the small
// numbers without a leading one in order. The largest exponent is infinity or NaN in both.
VQ_HOST_DEVICE inline float to_float(Fp16Bits half) {
  const uint32_t sign = static_cast<uint32_t>(half.bits & 0x8000) << 16;
  const uint32_t rest = static_cast<uint32_t>(half.bits & 0x7fff) << 13;
  if ((half.bits & 0x7c00) == 0x7c00) return float_of(sign | 0x7f800000 | rest);
  return float_of(sign | bits_of(float_of(rest) * 0x1.0p112f));
}

// To the nearest, of two as near the even one.
VQ_HOST_DEVICE inline Bf16Bits to_bf16(float value) {
  const uint32_t bits = bits_of(value);
  if ((bits & 0x7fffffff) > 0x7f800000) return {0x7fc0};  // NaN, whatever its bits
  return {static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16)};
}

}  // namespace vq
