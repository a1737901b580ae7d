#include "lib/sampling/guidance.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "formats/error.h"

namespace vq {
namespace {

at::Tensor log_row(std::vector<double> p) { return at::tensor(p, at::kDouble).log().unsqueeze(0); }

TEST(Guide, SharpensAgainstTheNull) {
  // c^3 / u^2 for a uniform u: (.1, .2, .3, .4)^3 normalised is (.01, .08, .27, .64).
  const at::Tensor guided = guide(log_row({.1, .2, .3, .4}), log_row({.25, .25, .25, .25}), 3);
  EXPECT_TRUE(at::allclose(guided.exp(), at::tensor({.01, .08, .27, .64}, at::kDouble).unsqueeze(0),
                           1e-9, 1e-12));
}

TEST(Guide, OneIsTheConditionedGuessAndZeroTheNull) {
  const at::Tensor c = log_row({.1, .2, .7}), u = log_row({.5, .3, .2});
  EXPECT_TRUE(at::allclose(guide(c, u, 1), c, 1e-12, 1e-12));
  EXPECT_TRUE(at::allclose(guide(c, u, 0), u, 1e-12, 1e-12));
}

TEST(Guide, ARowWithScaleOneIsTheConditionedGuessBitByBit) {
  const at::Tensor c = at::log_softmax(at::randn({3, 7}), -1),
                   u = at::log_softmax(at::randn({3, 7}), -1);
  const at::Tensor mixed = guide(c, u, at::tensor({1.0, 3.0, 1.0}, at::kDouble));
  EXPECT_TRUE(at::equal(mixed[0], c[0]));
  EXPECT_TRUE(at::equal(mixed[2], c[2]));
  EXPECT_TRUE(at::allclose(mixed[1], guide(c, u, 3)[1]));
  EXPECT_FALSE(at::allclose(mixed[1], c[1]));
}

TEST(Guide, WhatHasNoChanceInEitherGuessHasNone) {
  const at::Tensor p = guide(log_row({0, .5, .5}), log_row({.2, 0, .8}), 4).exp();
  EXPECT_TRUE(at::allclose(p, at::tensor({0., 0., 1.}, at::kDouble).unsqueeze(0)));
}

TEST(Guidance, FollowsTheShareOfMasks) {
  Guidance g;
  EXPECT_TRUE(g.off());
  g.scale = 5;
  EXPECT_EQ(g.at(1), 5);
  EXPECT_EQ(g.at(0), 5);
  g.shape = "linear";
  EXPECT_EQ(g.at(1), 1);
  EXPECT_EQ(g.at(0.75), 2);
  EXPECT_EQ(g.at(0), 5);
  g.shape = "cosine";
  EXPECT_EQ(g.at(1), 1);
  EXPECT_NEAR(g.at(0.5), 3, 1e-12);
  EXPECT_NEAR(g.at(0), 5, 1e-12);
  g.low = 0.2, g.high = 0.6;
  EXPECT_EQ(g.at(0.1), 1);
  EXPECT_EQ(g.at(0.7), 1);
  EXPECT_NEAR(g.at(0.5), 3, 1e-12);
  g.check();
  g.low = 0.7;
  EXPECT_THROW(g.check(), Error);
  g.low = 0, g.shape = "step";
  EXPECT_THROW(g.check(), Error);
}

}  // namespace
}  // namespace vq
