#include "lib/weights/layers.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "lib/runtime/device.h"

namespace vq {
namespace {

TEST(Linear, IsAnAffineMap) {
  Parameters p(1);
  const Linear layer(p, "l", 2, 3);
  EXPECT_EQ(p.entries()[0].name, "l.weight");
  EXPECT_EQ(p.entries()[1].name, "l.bias");
  const at::Tensor x = at::randn({4, 5, 2});
  const at::Tensor y = x.matmul(layer.weight.t()) + layer.bias;
  EXPECT_TRUE(at::allclose(layer(x), y));
  EXPECT_EQ(layer(x).sizes(), (at::IntArrayRef{4, 5, 3}));
}

// The law that sampling leans on: a row's result has the same bits whatever else is in the batch.
TEST(Linear, RowsPaddedGivesTheSameBitsForAnyNumberOfRowsAndThreads) {
  const at::NoGradGuard no_grad;
  const int threads = at::get_num_threads();
  for (const auto& [in, out] : {std::pair<int64_t, int64_t>{64, 96}, {256, 1536}, {704, 2112}}) {
    Parameters p(1);
    const Linear layer(p, "l", in, out);
    const at::Tensor x = at::randn({20, in});
    at::set_num_threads(1);
    const at::Tensor all = layer.rows_padded(x);
    EXPECT_TRUE(at::allclose(all, layer(x), 1e-4, 1e-5));
    for (int n : {1, 2}) {
      at::set_num_threads(n);
      for (int64_t rows = 1; rows <= 20; ++rows) {
        for (int64_t from : {int64_t{0}, 20 - rows}) {
          const at::Tensor part = layer.rows_padded(x.narrow(0, from, rows));
          ASSERT_TRUE(at::equal(part, all.narrow(0, from, rows)))
              << in << " -> " << out << ", " << rows << " rows from " << from << ", threads " << n;
        }
      }
    }
  }
  at::set_num_threads(threads);
}

TEST(Linear, RowsPaddedHasGradients) {
  Parameters p(1);
  const Linear layer(p, "l", 3, 2);
  const at::Tensor x = at::randn({2, 3});
  layer.rows_padded(x).sum().backward();
  EXPECT_TRUE(at::allclose(layer.bias.grad(), at::full({2}, 2.0)));
  EXPECT_TRUE(at::allclose(layer.weight.grad(), x.sum(0).expand({2, 3})));
}

TEST(Embedding, PicksRows) {
  Parameters p(1);
  const Embedding layer(p, "e", 5, 3);
  const at::Tensor index = at::tensor({4, 0}, at::kLong).view({1, 2});
  EXPECT_TRUE(at::equal(layer(index)[0][0], layer.weight[4]));
  EXPECT_EQ(layer(index).sizes(), (at::IntArrayRef{1, 2, 3}));
}

TEST(LayerNorm, GivesMeanZeroAndVarianceOne) {
  Parameters p(1);
  const LayerNorm layer(p, "n", 64);
  const at::Tensor y = layer(at::randn({3, 64}) * 5 + 2);
  EXPECT_LT(y.mean(-1).abs().max().item<double>(), 1e-5);
  EXPECT_LT((y.var(-1, false) - 1).abs().max().item<double>(), 1e-4);
}

TEST(GroupNorm, NormalisesEachGroupOfChannels) {
  Parameters p(1);
  const GroupNorm layer(p, "n", 8, 2);
  const at::Tensor y = layer(at::randn({2, 8, 4, 4}) * 3 + 1).view({2, 2, -1});
  EXPECT_LT(y.mean(-1).abs().max().item<double>(), 1e-5);
  EXPECT_LT((y.var(-1, false) - 1).abs().max().item<double>(), 1e-4);
}

TEST(Conv2d, KeepsSizeByDefaultAndHalvesWithStride) {
  Parameters p(1);
  const Conv2d same(p, "a", 3, 4, 3), half(p, "b", 3, 4, 4, 2, 1), point(p, "c", 3, 4, 1);
  const at::Tensor x = at::randn({2, 3, 8, 6});
  EXPECT_EQ(same(x).sizes(), (at::IntArrayRef{2, 4, 8, 6}));
  EXPECT_EQ(half(x).sizes(), (at::IntArrayRef{2, 4, 4, 3}));
  EXPECT_EQ(point(x).sizes(), (at::IntArrayRef{2, 4, 8, 6}));
  const double bound = 1 / std::sqrt(27.0);
  EXPECT_LE(same.weight.abs().max().item<double>(), bound);
  EXPECT_GT(same.weight.abs().max().item<double>(), bound * 0.8);
}

// What the header of device.h promises: products in bf16, norms in fp32.
TEST(Autocast, ProductsAreRoundedAndWeightsStayWhole) {
  const at::NoGradGuard no_grad;
  Parameters p(1);
  const Linear layer(p, "l", 8, 8);
  const AutocastScope scope(at::kCPU, Precision::bf16);
  EXPECT_EQ(layer(at::randn({2, 8})).scalar_type(), at::kBFloat16);
  EXPECT_EQ(layer.weight.scalar_type(), at::kFloat);
}

}  // namespace
}  // namespace vq
