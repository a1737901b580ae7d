#include "lib/codec/upsample.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

namespace vq {
namespace {

TEST(Upsample, CornersGiveWhatDoublingGives) {
  at::manual_seed(1);
  Parameters p(1);
  Upsample up(p, "up", 5, 7);
  p.set_requires_grad(false);
  for (const auto& [batch, height, width] :
       {std::tuple<int64_t, int64_t, int64_t>{1, 1, 1}, {3, 4, 6}, {1, 40, 33}}) {
    const at::Tensor x =
        at::randn({batch, 5, height, width}).contiguous(at::MemoryFormat::ChannelsLast);
    const at::NoGradGuard no_grad;
    up.corners.clear();
    const at::Tensor plain = up(x);
    up.prepare();
    const at::Tensor ours = up(x);
    ASSERT_EQ(ours.sizes(), plain.sizes());
    EXPECT_TRUE(ours.allclose(plain, 1e-5, 1e-5)) << height << " x " << width;
  }
}

TEST(Upsample, TrainsByTheKernelItself) {
  Parameters p(1);
  Upsample up(p, "up", 2, 2);
  up.prepare();
  up(at::randn({1, 2, 3, 3})).sum().backward();
  EXPECT_TRUE(p.get("up.weight").grad().defined());
}

}  // namespace
}  // namespace vq
