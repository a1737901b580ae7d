#include "lib/runtime/norm_bf16.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace vq {
namespace {

// Sizes at, below and above the 16 lanes of a vector; groups of different number, one of none.
TEST(NormBf16, IsTheSumNormalisedAndScaled) {
  at::manual_seed(1);
  for (const int64_t width : {1, 15, 16, 40, 1408}) {
    const std::vector<int64_t> first = {0, 3, 3, 40};
    const NormScale scale{at::randn({3, width}) + 1, at::randn({3, width}), first};
    const at::Tensor start = at::randn({40, width}) * 3 + 1;
    for (const bool add : {false, true}) {
      const at::Tensor delta = add ? at::randn({40, width}).to(at::kBFloat16) : at::Tensor();
      at::Tensor x = start.clone(), plain_x = start.clone();
      const at::Tensor ours = add_norm_bf16(x, delta, scale);
      const at::Tensor plain = add_norm_plain(plain_x, delta, scale);
      EXPECT_TRUE(x.equal(plain_x)) << width;
      EXPECT_TRUE(ours.to(at::kFloat).allclose(plain.to(at::kFloat), 1.0 / 128, 1e-4)) << width;

      const at::Tensor sum = (add ? start + delta : start).to(at::kDouble)[5];
      const at::Tensor norm = (sum - sum.mean()) / (sum.var(0, false) + 1e-5).sqrt();
      const at::Tensor expected = norm * scale.gain[2] + scale.shift[2];
      EXPECT_TRUE(ours[5].to(at::kDouble).allclose(expected, 1.0 / 128, 1e-4)) << width;
    }
  }
}

TEST(NormBf16, RowDoesNotDependOnItsNeighbours) {
  at::manual_seed(2);
  const at::Tensor start = at::randn({100, 33});
  const NormScale all{at::ones({1, 33}), at::zeros({1, 33}), {0, 100}};
  const NormScale one{at::ones({1, 33}), at::zeros({1, 33}), {0, 1}};
  at::Tensor x = start.clone(), row = start.slice(0, 57, 58).clone();
  EXPECT_TRUE(add_norm_bf16(x, {}, all)[57].equal(add_norm_bf16(row, {}, one)[0]));
}

}  // namespace
}  // namespace vq
