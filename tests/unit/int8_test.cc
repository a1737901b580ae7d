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
      at::Tensor to = at::empty({19, width}, at::kBFloat16);
      scaled_sums(sums, row, column, bias, swish, to);
      const at::Tensor got = to.to(at::kDouble);
      const at::Tensor plain = scaled_sums_plain(sums, row, column, bias, swish).to(at::kDouble);
      EXPECT_TRUE(got.allclose(plain, 1.0 / 128, 1e-3)) << width << swish;
      const at::Tensor z =
          sums.to(at::kDouble) * row.to(at::kDouble).unsqueeze(1) * column.to(at::kDouble) +
          bias.to(at::kDouble);
      EXPECT_TRUE(got.allclose(swish ? z * at::sigmoid(z) : z, 1.0 / 128, 1e-3)) << width << swish;
    }
  }
}

// Blocks of rows, the last of them smaller, give what one product of everything gives: the sums are
// whole numbers.
TEST(Int8, ProductsInBlocksOfRows) {
  at::manual_seed(3);
  const RoundedRows weight = round_rows(at::randn({40, 64}).to(at::kBFloat16));
  const at::Tensor bias = at::randn({40});
  for (const int64_t count : {1, 17, 256, 257, 700}) {
    const at::Tensor x = at::randn({count, 64}).to(at::kBFloat16);
    const RoundedRows rows = round_rows(x);
    const at::Tensor sums = rows.values.to(at::kInt).mm(weight.values.to(at::kInt).t());
    for (const bool swish : {false, true}) {
      at::Tensor expected = at::empty({count, 40}, at::kBFloat16);
      scaled_sums(sums, rows.scale, weight.scale, bias, swish, expected);
      EXPECT_TRUE(product_of_rounded(x, weight, bias, swish).equal(expected)) << count << swish;
    }
  }
}

}  // namespace
}  // namespace vq
