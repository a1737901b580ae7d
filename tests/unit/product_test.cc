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

TEST(Product, IsTheLinearLayer) {
  const Layers n;
  const at::Tensor expected =
      at::linear(n.x.to(at::kDouble), n.in.weight.to(at::kDouble), n.in.bias.to(at::kDouble));
  const at::Tensor got = Product(n.in, 50)(n.x);
  EXPECT_EQ(got.scalar_type(), at::kBFloat16);
  EXPECT_LT(relative_error(got, expected), 0.004);
}

TEST(Product, TwoWithTheActivationBetweenAreAnMlp) {
  const Layers n;
  const at::Tensor y =
      at::linear(n.x.to(at::kDouble), n.in.weight.to(at::kDouble), n.in.bias.to(at::kDouble));
  const at::Tensor expected = at::linear(y * at::sigmoid(y * kGelu2Slope),
                                         n.out.weight.to(at::kDouble), n.out.bias.to(at::kDouble));
  const Product in(n.in, 50, kGelu2Slope, kGelu2Slope), out(n.out, 50, 1 / kGelu2Slope);
  EXPECT_LT(relative_error(out(in.activated(n.x)), expected), 0.006);
}

// What samples alike for every batch size rests on. Measured for oneDNN 3.10: only one row alone
// differs, which is why it never goes alone.
TEST(Product, RowsDoNotDependOnTheirNumber) {
  const Layers n;
  const Product product(n.in, 1000);
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
