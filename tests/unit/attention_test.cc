#include "lib/weights/attention.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <cmath>

namespace vq {
namespace {

// The definition, one head at a time, in double.
at::Tensor plain_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                           int64_t heads) {
  std::vector<at::Tensor> parts;
  const int64_t size = q.size(-1) / heads;
  for (int64_t h = 0; h < heads; ++h) {
    const auto of = [&](const at::Tensor& t) {
      return t.narrow(-1, h * size, size).to(at::kDouble);
    };
    const at::Tensor scores =
        of(q).matmul(of(k).transpose(-1, -2)) / std::sqrt(static_cast<double>(size));
    parts.push_back(at::softmax(scores, -1).matmul(of(v)));
  }
  return at::cat(parts, -1).to(at::kFloat);
}

TEST(Attention, SelfEqualsItsDefinition) {
  Parameters p(2);
  const SelfAttention self(p, "self", 24, 3);
  const at::Tensor x = at::randn({2, 17, 24});
  const auto qkv = self.qkv(x).chunk(3, -1);
  const at::Tensor want = self.out(plain_attention(qkv[0], qkv[1], qkv[2], 3));
  EXPECT_TRUE(at::allclose(self(x), want, 1e-4, 1e-6));
}

TEST(Attention, CrossEqualsItsDefinition) {
  Parameters p(2);
  const CrossAttention cross(p, "cross", 24, 10, 3);
  const at::Tensor x = at::randn({2, 17, 24}), context = at::randn({2, 5, 10});
  const auto kv = cross.key_value(context).chunk(2, -1);
  const at::Tensor want = cross.out(plain_attention(cross.query(x), kv[0], kv[1], 3));
  EXPECT_TRUE(at::allclose(cross(x, context), want, 1e-4, 1e-6));
}

// Short and long sequences take different ways when a gradient is wanted.
TEST(Attention, GradientsEqualTheDefinitionsForShortAndLongSequences) {
  for (const int64_t length : {5, 17, 140}) {
    Parameters p(2);
    const CrossAttention cross(p, "cross", 24, 10, 3);
    const at::Tensor x = at::randn({2, length, 24}), context = at::randn({2, 133, 10});
    const at::Tensor weight = at::randn({2, length, 24});
    const auto gradients = [&](const at::Tensor& y) {
      p.zero_grad();
      (y * weight).sum().backward();
      return std::vector<at::Tensor>{cross.query.weight.grad().clone(),
                                     cross.key_value.weight.grad().clone()};
    };
    const auto kv = cross.key_value(context).chunk(2, -1);
    const auto want = gradients(cross.out(plain_attention(cross.query(x), kv[0], kv[1], 3)));
    const auto got = gradients(cross(x, context));
    for (size_t i = 0; i < want.size(); ++i) {
      EXPECT_TRUE(at::allclose(got[i], want[i], 1e-3, 1e-4)) << length << " positions";
    }
  }
}

TEST(Mlp, ActivationIsXSigmoid1702X) {
  Parameters p(2);
  const Mlp mlp(p, "mlp", 8, 4);
  const at::Tensor x = at::randn({5, 20, 8}), y = mlp.in(x);
  EXPECT_TRUE(at::allclose(mlp(x), mlp.out(y * at::sigmoid(1.702 * y)), 1e-5, 1e-7));
}

TEST(ConvMlp, IsTwoConvolutionsInTrainingAndOutsideIt) {
  Parameters p(3);
  const ConvMlp mlp(p, "m", 6, 4, 3, 5);
  const at::Tensor x = at::randn({2, 15, 6});
  const auto conv = [&](const char* name, const at::Tensor& y) {
    return at::conv2d(y, p.get(std::string("m.") + name + ".weight"),
                      p.get(std::string("m.") + name + ".bias"), 1, 1);
  };
  const at::Tensor inner = conv("in", x.transpose(1, 2).reshape({2, 6, 3, 5}));
  const at::Tensor want =
      conv("out", inner * at::sigmoid(inner * 1.702)).flatten(2).transpose(1, 2);
  EXPECT_TRUE(at::allclose(mlp(x), want, 1e-4, 1e-5));
  const at::NoGradGuard no_grad;
  EXPECT_TRUE(at::allclose(mlp(x), want, 1e-4, 1e-5));
}

}  // namespace
}  // namespace vq
