#include "lib/runtime/product.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

namespace vq {
namespace {

double relative_error(const at::Tensor& got, const at::Tensor& expected) {
  return ((got.to(at::kDouble) - expected).norm() / expected.norm()).item<double>();
}

struct Layers {
  Parameters p{1};
  Linear in{p, "in", 96, 400, 0.1}, out{p, "out", 400, 96, 0.1};
  at::Tensor x = at::randn({50, 96}).to(at::kBFloat16);
  Layers() {
    p.set_requires_grad(false);
    for (const Linear* layer : {&in, &out}) layer->bias.normal_(0, 0.3);
  }
};

// What rounding costs, relative to the result: 8 bits of mantissa, or 8 bits of the largest.
struct Case {
  Precision precision;
  double error;
};
class ProductOf : public testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(Precisions, ProductOf,
                         testing::Values(Case{Precision::bf16, 0.004},
                                         Case{Precision::int8, 0.02}));

TEST_P(ProductOf, IsTheLinearLayer) {
  const Layers n;
  const at::Tensor expected =
      at::linear(n.x.to(at::kDouble), n.in.weight.to(at::kDouble), n.in.bias.to(at::kDouble));
  const at::Tensor got = Product(n.in, 50, GetParam().precision)(n.x);
  EXPECT_EQ(got.scalar_type(), at::kBFloat16);
  EXPECT_LT(relative_error(got, expected), GetParam().error);
}

TEST_P(ProductOf, TwoWithTheActivationBetweenAreAnMlp) {
  const Layers n;
  const at::Tensor y =
      at::linear(n.x.to(at::kDouble), n.in.weight.to(at::kDouble), n.in.bias.to(at::kDouble));
  const at::Tensor expected = at::linear(y * at::sigmoid(y * kGelu2Slope),
                                         n.out.weight.to(at::kDouble), n.out.bias.to(at::kDouble));
  const Precision precision = GetParam().precision;
  const Product in(n.in, 50, precision, kGelu2Slope, kGelu2Slope);
  const Product out(n.out, 50, precision, 1 / kGelu2Slope);
  EXPECT_LT(relative_error(out(in.activated(n.x)), expected), 1.5 * GetParam().error);
}

// What samples alike for every batch size rests on. Measured for oneDNN 3.10: only one row alone
// differs, which is why it never goes alone.
TEST_P(ProductOf, RowsDoNotDependOnTheirNumber) {
  const Layers n;
  const Product product(n.in, 1000, GetParam().precision);
  const at::Tensor x = at::randn({300, 96}).to(at::kBFloat16);
  const at::Tensor all = product(x);
  for (const int64_t rows : {1, 2, 3, 7, 16, 33, 150}) {
    EXPECT_TRUE(product(x.slice(0, 0, rows)).equal(all.slice(0, 0, rows))) << rows;
    const at::Tensor deep = x.slice(0, 0, rows).unsqueeze(1);  // (rows, 1, in)
    EXPECT_TRUE(product(deep).squeeze(1).equal(all.slice(0, 0, rows))) << rows;
  }
}

}  // namespace
}  // namespace vq
