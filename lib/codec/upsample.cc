#include "lib/codec/upsample.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

namespace vq {
namespace {

// (..., 3) -> (..., 2) along `dim`: the kernel's three rows as seen from the first or the second
// pixel of a doubled cell. The first has its own cell under the last two, the second under the
// first two.
at::Tensor fold(const at::Tensor& weight, int64_t dim, int64_t corner) {
  const auto row = [&](int64_t i) { return weight.narrow(dim, i, 1); };
  return corner == 0 ? at::cat({row(0), row(1) + row(2)}, dim)
                     : at::cat({row(0) + row(1), row(2)}, dim);
}

}  // namespace

Upsample::Upsample(Parameters& p, const std::string& name, int64_t in, int64_t out)
    : conv(p, name, in, out, 3) {}

void Upsample::prepare(Precision precision) {
  const at::NoGradGuard no_grad;
  const auto type = precision == Precision::fp32 ? at::kFloat : at::kBFloat16;
  corners.clear();
  for (int64_t i = 0; i < 4; ++i) {
    const at::Tensor sums = fold(fold(conv.weight, 2, i / 2), 3, i % 2);
    corners.push_back(sums.to(type).contiguous(at::MemoryFormat::ChannelsLast));
  }
}

void Upsample::to(at::Device device) {
  for (at::Tensor& corner : corners) corner = corner.to(device);
}

at::Tensor Upsample::operator()(const at::Tensor& x) const {
  const int64_t height = x.size(2), width = x.size(3);
  if (corners.empty() || at::GradMode::is_enabled())
    return conv(at::upsample_nearest2d(x, {2 * height, 2 * width}));
  at::Tensor result;
  for (int64_t i = 0; i < 4; ++i) {
    // One more row and column than cells: the first corner begins with the one before its cell.
    const at::Tensor all = convolve(x, corners[static_cast<size_t>(i)], conv.bias, 1, 1);
    if (!result.defined()) {
      result = at::empty({x.size(0), all.size(1), 2 * height, 2 * width}, all.options(),
                         at::MemoryFormat::ChannelsLast);
    }
    result.slice(2, i / 2, std::nullopt, 2)
        .slice(3, i % 2, std::nullopt, 2)
        .copy_(all.narrow(2, i / 2, height).narrow(3, i % 2, width));
  }
  return result;
}

}  // namespace vq
