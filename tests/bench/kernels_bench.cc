// The parts that a sampling step and a codec are made of, each beside what LibTorch's own functions
// take for it, by turns on the same tensors.
//
//   kernels_bench [THREADS]     one thread where it is not said
//
// Medians of the runs that fit into half a second. GF/s is the arithmetic over the time, two
// operations for each multiplication with its addition; a norm has none worth counting.

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <string>
#include <vector>

#include "lib/runtime/attention_bf16.h"
#include "lib/runtime/avx512.h"
#include "lib/runtime/device.h"
#include "lib/runtime/group_norm.h"
#include "lib/runtime/norm_bf16.h"
#include "lib/runtime/product.h"

namespace {

using namespace vq;
using Clock = std::chrono::steady_clock;

double median(std::vector<double>& seconds) {
  std::nth_element(seconds.begin(), seconds.begin() + seconds.size() / 2, seconds.end());
  return seconds[seconds.size() / 2];
}

void compare(const std::string& name, double operations, const std::function<void()>& ours,
             const std::function<void()>& library) {
  std::vector<double> times[2];
  const auto began = Clock::now();
  const auto since = [](Clock::time_point then) {
    return std::chrono::duration<double>(Clock::now() - then).count();
  };
  for (int turn = -1; turn < 3 || since(began) < 0.5; ++turn) {  // the first does not count
    for (int side = 0; side < 2; ++side) {
      const auto start = Clock::now();
      side == 0 ? ours() : library();
      if (turn >= 0) times[side].push_back(since(start));
    }
  }
  const double mine = median(times[0]), theirs = median(times[1]);
  const auto rate = [&](double seconds) {
    return operations > 0 ? fmt::format("{:.0f}", operations / seconds / 1e9) : std::string();
  };
  fmt::print("{:<44} {:>9.3f} {:>6} {:>9.3f} {:>6} {:>6.2f}\n", name, 1000 * mine, rate(mine),
             1000 * theirs, rate(theirs), theirs / mine);
  std::fflush(stdout);
}

at::Tensor random_bf16(at::IntArrayRef sizes) { return at::randn(sizes).to(at::kBFloat16); }

void products(int64_t rows, int64_t in, int64_t out) {
  const Linear layer = [&] {
    Linear l;
    l.weight = at::randn({out, in}) / 32, l.bias = at::randn({out});
    return l;
  }();
  const at::Tensor x = random_bf16({rows, in});
  const at::Tensor weight = layer.weight.to(at::kBFloat16), bias = layer.bias.to(at::kBFloat16);
  const double operations = 2.0 * rows * in * out;
  const std::string shape = fmt::format("{} x {} -> {}", rows, in, out);
  const Product bf16(layer, rows, Precision::bf16);
  compare(
      "product " + shape, operations, [&] { bf16(x); }, [&] { at::linear(x, weight, bias); });
  compare(
      "and activation", operations, [&] { bf16.activated(x); },
      [&] { at::silu(at::linear(x, weight, bias)); });
  if (!has_avx512_bf16()) return;
  const Product int8(layer, rows, Precision::int8);
  compare(
      "in int8, beside bf16", operations, [&] { int8(x); }, [&] { at::linear(x, weight, bias); });
}

void attention(const std::string& name, int64_t rows, int64_t keys, int64_t heads, int64_t width) {
  const int64_t size = heads * width;
  const at::Tensor query = random_bf16({rows, size}), both = random_bf16({1, keys, 2 * size});
  const at::Tensor key = both.narrow(2, 0, size), value = both.narrow(2, size, size);
  compare(
      fmt::format("{}, {} x {}, {} of {}", name, rows, keys, heads, width),
      4.0 * rows * keys * size,
      [&] {
        attention_bf16(query, {0, rows}, key, value, heads);
      },
      [&] {
        attention_plain(query, {0, rows}, key, value, heads);
      });
}

void norm(int64_t rows, int64_t width) {
  at::Tensor x = at::randn({rows, width});
  const at::Tensor delta = random_bf16({rows, width}) * 1e-6;
  const NormScale scale{at::ones({1, width}), at::zeros({1, width}), {0, rows}};
  compare(
      fmt::format("add and norm {} x {}", rows, width), 0, [&] { add_norm_bf16(x, delta, scale); },
      [&] { add_norm_plain(x, delta, scale); });
}

void group_norm(at::ScalarType type, int64_t channels, int64_t side) {
  const at::Tensor x =
      at::randn({1, channels, side, side}).to(type).contiguous(at::MemoryFormat::ChannelsLast);
  const at::Tensor one = at::ones({channels}), zero = at::zeros({channels});
  const GroupNormOptions how{32, 1e-6, true};
  // What a codec that is run in bf16 has; LibTorch wants one type.
  const at::Tensor ones = one.to(type), zeros = zero.to(type);
  compare(
      fmt::format("group norm and activation, {} of {} x {}, {}", channels, side, side,
                  type == at::kFloat ? "fp32" : "bf16"),
      0, [&] { group_norm_map(x, one, zero, how); },
      [&] { group_norm_plain(x, ones, zeros, how); });
}

void run(int threads) {
  const at::NoGradGuard no_grad;
  start_computing(threads);
  fmt::print("{} threads\n\n{:<44} {:>9} {:>6} {:>9} {:>6} {:>6}\n", threads, "", "ours ms", "GF/s",
             "library", "GF/s", "ratio");
  products(1024, 1408, 4224);
  products(1024, 1408, 5632);
  products(1024, 5632, 1408);
  products(256, 256, 1024);
  attention("attention", 1024, 1024, 16, 88);
  attention("to a caption", 1024, 77, 16, 88);
  attention("attention", 256, 256, 8, 32);
  attention("a codec's", 1024, 1024, 1, 512);
  norm(1024, 1408);
  norm(256, 256);
  group_norm(at::kBFloat16, 64, 256);
  group_norm(at::kFloat, 64, 256);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run(argc > 1 ? std::max(1, std::atoi(argv[1])) : 1);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "kernels_bench: %s\n", e.what());
    return 1;
  }
  return 0;
}
