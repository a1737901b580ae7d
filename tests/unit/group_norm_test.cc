#include "lib/runtime/group_norm.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

namespace vq {
namespace {

at::Tensor some_map(at::IntArrayRef sizes, at::ScalarType type = at::kFloat) {
  return (at::randn(sizes) * 3 + 1).to(type).contiguous(at::MemoryFormat::ChannelsLast);
}

TEST(GroupNormMap, IsTheLibrarysWithinRounding) {
  at::manual_seed(1);
  for (const auto& [channels, groups, side] :
       {std::tuple<int64_t, int64_t, int64_t>{6, 3, 1}, {8, 8, 5}, {32, 4, 9}, {64, 32, 40}}) {
    const at::Tensor x = some_map({3, channels, side, side + 1});
    const at::Tensor weight = at::randn({channels}), bias = at::randn({channels});
    for (const bool activated : {false, true}) {
      const GroupNormOptions how = {groups, 1e-6, activated};
      const at::Tensor ours = group_norm_map(x, weight, bias, how);
      const at::Tensor exact =
          group_norm_plain(x.to(at::kDouble), weight.to(at::kDouble), bias.to(at::kDouble), how);
      EXPECT_TRUE(ours.is_contiguous(at::MemoryFormat::ChannelsLast));
      EXPECT_TRUE(ours.to(at::kDouble).allclose(exact, 1e-5, 1e-5)) << channels << " / " << groups;

      const at::Tensor half = x.to(at::kBFloat16);
      const at::Tensor rounded = group_norm_map(half, weight, bias, how);
      const at::Tensor expected = group_norm_plain(half.to(at::kFloat), weight, bias, how);
      EXPECT_EQ(rounded.scalar_type(), at::kBFloat16);
      EXPECT_TRUE(rounded.to(at::kFloat).allclose(expected, 1.0 / 128, 1e-3)) << channels;
    }
  }
}

// Sums of squares minus the squared mean would lose all digits here.
TEST(GroupNormMap, AFarMeanCostsNoDigits) {
  at::manual_seed(2);
  const at::Tensor x =
      (at::randn({1, 8, 20, 20}) + 3000).contiguous(at::MemoryFormat::ChannelsLast);
  const at::Tensor one = at::ones({8}), zero = at::zeros({8});
  const at::Tensor ours = group_norm_map(x, one, zero, {2, 1e-6});
  const at::Tensor exact =
      group_norm_plain(x.to(at::kDouble), one.to(at::kDouble), zero.to(at::kDouble), {2, 1e-6});
  EXPECT_TRUE(ours.to(at::kDouble).allclose(exact, 1e-3, 1e-3));
}

// A few positions are asked for the mean first; here those are far from all others.
TEST(GroupNormMap, PositionsThatMisleadCostFewDigits) {
  at::manual_seed(4);
  at::Tensor x = at::randn({1, 128, 128, 8}) * 1e-2;
  const at::Tensor cells = x.view({-1, 8});
  for (int64_t i = 0; i < 64; ++i) cells[(i * 256 + i * 7) % (128 * 128)].fill_(500);
  const at::Tensor map = x.permute({0, 3, 1, 2});
  ASSERT_TRUE(map.is_contiguous(at::MemoryFormat::ChannelsLast));
  const at::Tensor one = at::ones({8}), zero = at::zeros({8});
  const at::Tensor exact =
      group_norm_plain(map.to(at::kDouble), one.to(at::kDouble), zero.to(at::kDouble), {2, 1e-6});
  EXPECT_TRUE(
      group_norm_map(map, one, zero, {2, 1e-6}).to(at::kDouble).allclose(exact, 1e-5, 1e-5));
}

TEST(GroupNormMap, APictureDependsOnNothingElse) {
  at::manual_seed(3);
  const int threads = at::get_num_threads();
  const at::Tensor weight = at::randn({16}), bias = at::randn({16});
  const at::Tensor x = some_map({5, 16, 33, 70});
  at::set_num_threads(1);
  const at::Tensor all = group_norm_map(x, weight, bias, {4, 1e-6, true});
  at::set_num_threads(3);
  EXPECT_TRUE(all.equal(group_norm_map(x, weight, bias, {4, 1e-6, true})));
  for (int64_t i = 0; i < 5; ++i) {
    EXPECT_TRUE(all.narrow(0, i, 1).equal(
        group_norm_map(x.narrow(0, i, 1), weight, bias, {4, 1e-6, true})));
  }
  at::set_num_threads(threads);
}

// Far from zero the activation is the number itself, or nothing.
TEST(GroupNormMap, TheActivationHoldsFarFromZero) {
  const at::Tensor x = at::linspace(-100, 100, 2001)
                           .view({1, 1, 1, 2001})
                           .contiguous(at::MemoryFormat::ChannelsLast);
  const at::Tensor gain = at::full({1}, 60.0F), zero = at::zeros({1});
  const at::Tensor z = group_norm_map(x, gain, zero, {1, 1e-6}).to(at::kDouble);
  const at::Tensor got = group_norm_map(x, gain, zero, {1, 1e-6, true}).to(at::kDouble);
  EXPECT_GT(z.max().item<double>(), 100);
  const at::Tensor off = (got - z * at::sigmoid(z)).abs();
  EXPECT_LT((off / z.abs().clamp_min(1e-3)).max().item<double>(), 4e-7);
}

TEST(GroupNormMap, PlanesAndOtherTypesGoToTheLibrary) {
  const at::Tensor x = at::randn({2, 8, 4, 4}), one = at::ones({8}), zero = at::zeros({8});
  EXPECT_TRUE(
      group_norm_map(x, one, zero, {2, 1e-6}).equal(group_norm_plain(x, one, zero, {2, 1e-6})));
  EXPECT_EQ(group_norm_map(at::empty({0, 8, 4, 4}), one, zero, {2, 1e-6}).numel(), 0);
}

}  // namespace
}  // namespace vq
