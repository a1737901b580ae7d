#include "lib/runtime/int8.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace vq {
namespace {

TEST(Int8, RowsAreTheirScaleTimesTheirValues) {
  at::manual_seed(1);
  for (const int64_t width : {1, 15, 16, 77}) {
    at::Tensor x = (at::randn({21, width}) * at::arange(21).unsqueeze(1)).to(at::kBFloat16);
    const RoundedRows got = round_rows(x), plain = round_rows_plain(x);
    EXPECT_TRUE(got.values.equal(plain.values)) << width;
    EXPECT_TRUE(got.scale.equal(plain.scale)) << width;
    const at::Tensor back = got.values.to(at::kFloat) * got.scale.unsqueeze(1);
    const at::Tensor off = (back - x.to(at::kFloat)).abs() / got.scale.unsqueeze(1);
    EXPECT_LE(off.max().item<double>(), 0.5001) << width;
    EXPECT_EQ(got.values.slice(0, 1).abs().amax(1).min().item<int>(), 127) << width;
    EXPECT_EQ(got.values[0].abs().max().item<int>(), 0);  // a row of zeros
  }
}

TEST(Int8, SumsComeBackScaled) {
  at::manual_seed(2);
  for (const int64_t width : {1, 16, 33}) {
    const at::Tensor sums = at::randint(-2000000, 2000000, {19, width}, at::kInt);
    const at::Tensor row = at::rand({19}) * 1e-3, column = at::rand({width}) * 1e-2;
    const at::Tensor bias = at::randn({width});
    for (const bool swish : {false, true}) {
      const at::Tensor got = scaled_sums(sums, row, column, bias, swish).to(at::kDouble);
      const at::Tensor plain = scaled_sums_plain(sums, row, column, bias, swish).to(at::kDouble);
      EXPECT_TRUE(got.allclose(plain, 1.0 / 128, 1e-3)) << width << swish;
      const at::Tensor z =
          sums.to(at::kDouble) * row.to(at::kDouble).unsqueeze(1) * column.to(at::kDouble) +
          bias.to(at::kDouble);
      EXPECT_TRUE(got.allclose(swish ? z * at::sigmoid(z) : z, 1.0 / 128, 1e-3)) << width << swish;
    }
  }
}

}  // namespace
}  // namespace vq
