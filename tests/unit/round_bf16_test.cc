#include "lib/runtime/round_bf16.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <limits>

namespace vq {
namespace {

at::Tensor rounded(const at::Tensor& from, double factor) {
  at::Tensor to = at::full(from.sizes(), -7, at::kBFloat16);
  round_bf16(from, factor, to);
  return to;
}

at::Tensor rounded_plain(const at::Tensor& from, double factor) {
  at::Tensor to = at::full(from.sizes(), -7, at::kBFloat16);
  round_bf16_plain(from, factor, to);
  return to;
}

TEST(RoundBf16, IsThePlainTwin) {
  for (const int64_t n : {1, 15, 16, 17, 1000, 200'003}) {
    const at::Tensor from = at::randn({n});
    for (const double factor : {1.0, 1.702, 1 / 1.702})
      EXPECT_TRUE(rounded(from, factor).equal(rounded_plain(from, factor))) << n << " " << factor;
  }
  const at::Tensor matrix = at::randn({37, 91});
  EXPECT_TRUE(rounded(matrix, 1.702).equal((matrix * 1.702).to(at::kBFloat16)));
  EXPECT_TRUE(rounded(matrix.t(), 1.702).equal((matrix.t() * 1.702).to(at::kBFloat16)));
}

TEST(RoundBf16, RoundsTiesToEven) {
  const float ulp = 1.0F / 128;  // of bf16 at one
  const at::Tensor from = at::tensor({1 + ulp / 2, 1 + 3 * ulp / 2, -1 - ulp / 2, 3.4e38F, 0.0F});
  const at::Tensor to = rounded(from, 1).to(at::kFloat);
  EXPECT_EQ(to[0].item<float>(), 1);
  EXPECT_EQ(to[1].item<float>(), 1 + 2 * ulp);
  EXPECT_EQ(to[2].item<float>(), -1);
  EXPECT_EQ(to[3].item<float>(), std::numeric_limits<float>::infinity());
  EXPECT_EQ(to[4].item<float>(), 0);
}

TEST(RoundBf16, KeepsWhatIsNoNumber) {
  const float none = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(rounded(at::tensor({none, 1.0F}), 1)[0].isnan().item<bool>());
}

}  // namespace
}  // namespace vq
