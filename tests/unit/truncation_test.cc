#include "lib/sampling/truncation.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace vq {
namespace {

int64_t kept(const std::vector<double>& p, Truncation how) {
  return truncate(at::tensor(p, at::kDouble).log().unsqueeze(0), how).gt(0).sum().item<int64_t>();
}

// The released code's rule: a rank is kept when the mass before it is below P.
TEST(Truncate, TopPKeepsTheTokenThatCrosses) {
  const std::vector<double> p = {.2, .4, .1, .3};
  EXPECT_EQ(kept(p, {.top_p = .39}), 1);
  EXPECT_EQ(kept(p, {.top_p = .5}), 2);
  EXPECT_EQ(kept(p, {.top_p = .86}), 3);
  EXPECT_EQ(kept(p, {.top_p = .95}), 4);
  EXPECT_EQ(kept(p, {.top_p = 1}), 4);
  EXPECT_EQ(kept(p, {.top_p = 1e-9}), 1);
}

TEST(Truncate, KeepsTheRightTokensAndNormalises) {
  const at::Tensor log_p = at::tensor({.2, .4, .1, .3}, at::kDouble).log().unsqueeze(0);
  const at::Tensor want = at::tensor({0.0, 4.0 / 7, 0.0, 3.0 / 7}, at::kDouble).unsqueeze(0);
  EXPECT_TRUE(at::allclose(truncate(log_p, {.top_p = .5}), want, 1e-12, 1e-12));
  EXPECT_TRUE(at::allclose(truncate(log_p, {.top_k = 2}), want, 1e-12, 1e-12));
  EXPECT_TRUE(at::allclose(truncate(log_p, {.top_p = .99, .top_k = 2}), want, 1e-12, 1e-12));
}

TEST(Truncate, TemperatureSharpens) {
  const at::Tensor log_p = at::tensor({.2, .8}, at::kDouble).log().unsqueeze(0);
  const at::Tensor want = at::tensor({.04 / .68, .64 / .68}, at::kDouble).unsqueeze(0);
  EXPECT_TRUE(at::allclose(truncate(log_p, {.temperature = .5}), want, 1e-12, 1e-12));
}

TEST(Truncate, AmongEqualsTheLowerNumberComesFirst) {
  const at::Tensor log_p = at::full({1, 8}, 0.125, at::kDouble).log();
  const at::Tensor p = truncate(log_p, {.top_k = 3});
  EXPECT_EQ(p.gt(0).nonzero().select(1, 1).max().item<int64_t>(), 2);
}

TEST(Truncate, RowsDoNotDependOnEachOther) {
  const at::Tensor log_p = at::log_softmax(at::randn({5, 50}, at::kFloat), -1);
  const at::Tensor all = truncate(log_p, {.top_p = .7});
  for (int64_t i = 0; i < 5; ++i) {
    EXPECT_TRUE(at::equal(truncate(log_p.narrow(0, i, 1), {.top_p = .7}), all.narrow(0, i, 1)));
  }
}

}  // namespace
}  // namespace vq
