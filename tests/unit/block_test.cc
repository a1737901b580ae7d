#include "lib/diffusion/block.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

namespace vq {
namespace {

BlockSizes sizes(ConditionKind kind) { return {32, 2, 4, 10, kind, 12, 5}; }

TEST(AdaLayerNorm, ScaleComesBeforeShift) {
  Parameters p(3);
  const AdaLayerNorm norm(p, "norm", 4, 8);
  const at::Tensor x = at::randn({2, 3, 8}), row = at::tensor({1, 3}, at::kLong);
  const at::Tensor both = at::linear(at::silu(norm.table.weight.index_select(0, row)),
                                     norm.linear.weight, norm.linear.bias);
  const at::Tensor scale = both.narrow(1, 0, 8).unsqueeze(1),
                   shift = both.narrow(1, 8, 8).unsqueeze(1);
  const at::Tensor mean = x.mean(-1, true), var = (x - mean).pow(2).mean(-1, true);
  const at::Tensor want = (x - mean) / (var + 1e-5).sqrt() * (1 + scale) + shift;
  EXPECT_TRUE(at::allclose(norm(x, row), want, 1e-4, 1e-5));
}

TEST(Block, EachKindListensToItsConditionAndItsTime) {
  for (const auto kind : {ConditionKind::none, ConditionKind::label, ConditionKind::caption}) {
    Parameters p(3);
    const Block block(p, "b", sizes(kind));
    const at::Tensor x = at::randn({2, 6, 32}), row = at::tensor({0, 9}, at::kLong);
    const at::Tensor context = at::randn({2, 4, 12}), label = at::tensor({0, 4}, at::kLong);
    const at::Tensor y = block(x, row, context, label);
    EXPECT_EQ(y.sizes(), x.sizes());
    EXPECT_FALSE(at::allclose(y, block(x, row.flip({0}), context, label)));
    EXPECT_EQ(kind != ConditionKind::caption,
              at::equal(y, block(x, row, context.flip({0}), label)));
    EXPECT_EQ(kind != ConditionKind::label, at::equal(y, block(x, row, context, label.flip({0}))));
  }
}

TEST(AdaLayerNorm, BeyondTheTableIsItsMeanRowByRow) {
  const at::NoGradGuard no_grad;
  Parameters p(3);
  AdaLayerNorm norm(p, "norm", 4, 8);
  norm.mean_beyond = true;
  const at::Tensor x = at::randn({3, 3, 8}), y = norm(x, at::tensor({1, 4, 3}, at::kLong));
  AdaLayerNorm mean = norm;
  mean.table.weight = norm.table.weight.mean(0, true);
  const at::Tensor zero = at::zeros({3}, at::kLong);
  EXPECT_TRUE(at::equal(y[1], mean(x, zero)[1]));
  EXPECT_TRUE(at::equal(y[0], norm(x, at::tensor({1, 1, 1}, at::kLong))[0]));
  EXPECT_TRUE(at::equal(y[2], norm(x, at::tensor({3, 3, 3}, at::kLong))[2]));
}

TEST(Block, EveryWeightTakesPart) {
  for (const auto kind : {ConditionKind::none, ConditionKind::label, ConditionKind::caption}) {
    Parameters p(3);
    const Block block(p, "b", sizes(kind));
    block(at::randn({2, 6, 32}), at::tensor({0, 9}, at::kLong), at::randn({2, 4, 12}),
          at::tensor({0, 4}, at::kLong))
        .pow(2)
        .sum()
        .backward();
    for (const auto& entry : p.entries()) EXPECT_TRUE(entry.tensor.grad().defined()) << entry.name;
  }
}

}  // namespace
}  // namespace vq
