#include "lib/condition/text_encoder.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace vq {
namespace {

TEST(TextEncoder, EveryPositionHearsEveryOther) {
  Parameters p(4);
  const TextEncoder encode(p, "text", {2, 32, 2, 50, 9});
  const at::Tensor ids = at::arange(9, at::kLong).unsqueeze(0);
  at::Tensor other = ids.clone();
  other[0][8] = 40;
  const at::Tensor change = (encode(ids) - encode(other)).abs().sum(-1)[0];
  EXPECT_TRUE(change.gt(0).all().item<bool>()) << change;
  EXPECT_EQ(encode(ids).sizes(), (at::IntArrayRef{1, 9, 32}));
}

TEST(TextEncoder, OrderMatters) {
  Parameters p(4);
  const TextEncoder encode(p, "text", {1, 32, 2, 50, 4});
  const at::Tensor ids = at::tensor({3, 4, 5, 6}, at::kLong).unsqueeze(0);
  EXPECT_FALSE(at::allclose(encode(ids).mean(1), encode(ids.flip({1})).mean(1), 1e-6, 1e-7));
}

}  // namespace
}  // namespace vq
