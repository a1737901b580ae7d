// Tokens to pictures with random weights of the largest released codec's shape (ITHQ: 64 million).
//
//   decode_bench THREADS
//
// Reads lines "BATCH DTYPE" (fp32 or bf16), answers each with a line of JSON: milliseconds to
// decode so many grids of 32 x 32.

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <memory>
#include <string>

#include "lib/codec/codec.h"
#include "lib/runtime/device.h"

namespace {

using namespace vq;

constexpr int64_t kSide = 32;

CodecConfig released_config() {
  CodecConfig c;
  c.image_size = 256, c.patch = 1, c.channels = 64, c.multipliers = {1, 2, 4, 8};
  c.encoder_blocks = 2, c.decoder_blocks = 3, c.middle_blocks = 2;
  c.linear = false, c.attention = true, c.groups = 32;
  c.latent = 256, c.code_width = 128, c.codes = 4096;
  return c;
}

void serve() {
  // As vq-decode loads it, in either precision.
  const auto codec_in = [](Precision precision) {
    return Codec(std::make_unique<CodecNetwork>(released_config(), 1), "", CodecUse::decode,
                 precision);
  };
  const Codec exact = codec_in(Precision::fp32), rounded = codec_in(Precision::bf16);
  int64_t batch = 0;
  std::string dtype;
  while (std::cin >> batch >> dtype) {
    const bool in_fp32 = choose_precision(dtype, at::kCPU) == Precision::fp32;
    const Codec& codec = in_fp32 ? exact : rounded;
    const at::Tensor tokens = at::randint(codec.config().codes, {batch, kSide * kSide}, at::kLong);
    const auto start = std::chrono::steady_clock::now();
    codec.decode(tokens, kSide, kSide);
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
    std::printf("{\"batch\": %lld, \"ms\": %.3f}\n", static_cast<long long>(batch), took.count());
    std::fflush(stdout);
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc != 2) throw std::runtime_error("wants THREADS");
    start_computing(std::max(1, std::atoi(argv[1])));
    serve();
  } catch (const std::exception& e) {
    std::fprintf(stderr, "decode_bench: %s\n", e.what());
    return 1;
  }
  return 0;
}
