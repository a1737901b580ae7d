#include "lib/sampling/guidance.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

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

}  // namespace
}  // namespace vq
