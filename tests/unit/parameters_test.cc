#include "lib/weights/parameters.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "formats/error.h"

namespace vq {
namespace {

TEST(Parameters, ListsTensorsInTheOrderOfCreation) {
  Parameters p(1);
  p.normal("b.weight", {3, 2}, 0.02);
  p.constant("a.bias", {3}, 0.5);
  p.buffer("usage", at::ones({4}));
  ASSERT_EQ(p.entries().size(), 3u);
  EXPECT_EQ(p.entries()[0].name, "b.weight");
  EXPECT_EQ(p.entries()[1].name, "a.bias");
  EXPECT_FALSE(p.entries()[2].trainable);
  EXPECT_EQ(p.trainable().size(), 2u);
  EXPECT_EQ(p.count(), 9);
  EXPECT_TRUE(p.contains("usage"));
  EXPECT_FALSE(p.contains("usag"));
  EXPECT_TRUE(p.get("b.weight").requires_grad());
  EXPECT_FALSE(p.get("usage").requires_grad());
}

TEST(Parameters, RefusesARepeatedAndAnUnknownName) {
  Parameters p;
  p.constant("a", {1}, 0);
  EXPECT_THROW(p.constant("a", {1}, 0), Error);
  EXPECT_EQ(p.entries().size(), 1u);
  EXPECT_THROW(p.get("b"), Error);
}

TEST(Parameters, InitialValuesHaveTheStatedSpread) {
  Parameters p(1);
  const at::Tensor normal = p.normal("n", {200, 200}, 0.02);
  EXPECT_NEAR(normal.std().item<double>(), 0.02, 0.0005);
  EXPECT_NEAR(normal.mean().item<double>(), 0, 0.0005);
  const at::Tensor uniform = p.uniform("u", {200, 200}, 0.1);
  EXPECT_LE(uniform.abs().max().item<double>(), 0.1);
  EXPECT_NEAR(uniform.std().item<double>(), 0.1 / std::sqrt(3), 0.001);
  EXPECT_EQ(p.normal("z", {3}, 0).abs().sum().item<double>(), 0);
}

// A network with one layer more starts with the same values in all the others.
TEST(Parameters, AnInitialValueDependsOnSeedAndNameOnly) {
  Parameters a(1), b(1), c(2);
  const at::Tensor alone = a.normal("x", {5}, 1);
  b.normal("before", {7}, 1);
  EXPECT_TRUE(at::equal(alone, b.normal("x", {5}, 1)));
  EXPECT_FALSE(at::equal(alone, c.normal("x", {5}, 1)));
}

TEST(Parameters, ToConvertsInPlaceAndLeavesIntegersAlone) {
  Parameters p(1);
  const at::Tensor held = p.normal("w", {2, 2}, 1);
  const at::Tensor counts = p.buffer("n", at::zeros({2}, at::kLong));
  p.to(at::kCPU, at::kDouble);
  EXPECT_EQ(held.scalar_type(), at::kDouble);
  EXPECT_EQ(counts.scalar_type(), at::kLong);
  EXPECT_TRUE(held.requires_grad());
}

TEST(Parameters, GradientsAreClearedAndSwitched) {
  Parameters p(1);
  const at::Tensor w = p.normal("w", {3}, 1);
  w.pow(2).sum().backward();
  EXPECT_TRUE(w.grad().defined());
  p.zero_grad();
  EXPECT_FALSE(w.grad().defined());
  p.set_requires_grad(false);
  EXPECT_FALSE(w.requires_grad());
  p.set_requires_grad(true);
  EXPECT_TRUE(w.requires_grad());
}

TEST(Parameters, ShapesAloneTakeNoMemory) {
  Parameters p(1, Fill::shapes);
  const at::Tensor huge = p.normal("huge", {1 << 20, 1 << 20}, 0.02);
  EXPECT_EQ(huge.sizes(), (at::IntArrayRef{1 << 20, 1 << 20}));
  EXPECT_TRUE(huge.is_meta());
  EXPECT_FALSE(p.constant_buffer("buffer", {3}, 1).requires_grad());
  Parameters blank(1, Fill::none);
  EXPECT_EQ(blank.uniform("u", {3, 2}, 1).sizes(), (at::IntArrayRef{3, 2}));
  Parameters filled;
  EXPECT_TRUE(at::equal(filled.constant_buffer("ones", {3}, 1), at::ones(3)));
}

}  // namespace
}  // namespace vq
