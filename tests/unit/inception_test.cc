#include "lib/scoring/inception.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <map>

#include "formats/error.h"

namespace vq {
namespace {

// Random weights that keep numbers at their size, remembered by name.
struct RandomWeights {
  std::map<std::string, at::Tensor> tensors;
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(5);

  at::Tensor operator()(const std::string& name, at::IntArrayRef shape) {
    EXPECT_EQ(tensors.count(name), 0u) << name;
    const auto ends = [&](const char* text) { return name.ends_with(text); };
    at::Tensor value = at::randn(shape, generator, at::TensorOptions(at::kFloat));
    if (ends("conv.weight")) value *= std::sqrt(2.0 / static_cast<double>(value[0].numel()));
    if (ends("bn.weight") || ends("running_var")) value = (value * 0.1).exp();
    if (ends("bn.bias") || ends("running_mean")) value *= 0.1;
    return tensors[name] = value;
  }
};

// The network written down plainly: every convolution, norm and pool by itself.
class Plain {
 public:
  explicit Plain(const RandomWeights& weights) : weights_(weights) {}

  at::Tensor features(at::Tensor x) const {
    x = conv(x, "Conv2d_1a_3x3", 2);
    x = conv(x, "Conv2d_2a_3x3");
    x = at::max_pool2d(conv(x, "Conv2d_2b_3x3", 1, {1, 1}), {3, 3}, {2, 2});
    x = conv(x, "Conv2d_3b_1x1");
    x = at::max_pool2d(conv(x, "Conv2d_4a_3x3"), {3, 3}, {2, 2});
    for (const char* name : {"Mixed_5b.", "Mixed_5c.", "Mixed_5d."}) x = a(x, name);
    x = b(x, "Mixed_6a.");
    for (const char* name : {"Mixed_6b.", "Mixed_6c.", "Mixed_6d.", "Mixed_6e."}) x = c(x, name);
    x = d(x, "Mixed_7a.");
    x = e(x, "Mixed_7b.", false);
    return e(x, "Mixed_7c.", true).mean({2, 3});
  }

 private:
  using Two = std::array<int64_t, 2>;
  at::Tensor conv(const at::Tensor& x, const std::string& name, int64_t stride = 1,
                  Two padding = {0, 0}) const {
    const auto get = [&](const char* part) { return weights_.tensors.at(name + part); };
    const at::Tensor y = at::conv2d(x, get(".conv.weight"), {}, {stride, stride}, padding);
    return at::relu(at::batch_norm(y, get(".bn.weight"), get(".bn.bias"), get(".bn.running_mean"),
                                   get(".bn.running_var"), false, 0, 0.001, false));
  }
  static at::Tensor average(const at::Tensor& x) {
    return at::avg_pool2d(x, {3, 3}, {1, 1}, {1, 1}, false, false);
  }
  at::Tensor a(const at::Tensor& x, const std::string& n) const {
    return at::cat(
        {conv(x, n + "branch1x1"), conv(conv(x, n + "branch5x5_1"), n + "branch5x5_2", 1, {2, 2}),
         conv(conv(conv(x, n + "branch3x3dbl_1"), n + "branch3x3dbl_2", 1, {1, 1}),
              n + "branch3x3dbl_3", 1, {1, 1}),
         conv(average(x), n + "branch_pool")},
        1);
  }
  at::Tensor b(const at::Tensor& x, const std::string& n) const {
    return at::cat({conv(x, n + "branch3x3", 2),
                    conv(conv(conv(x, n + "branch3x3dbl_1"), n + "branch3x3dbl_2", 1, {1, 1}),
                         n + "branch3x3dbl_3", 2),
                    at::max_pool2d(x, {3, 3}, {2, 2})},
                   1);
  }
  at::Tensor c(const at::Tensor& x, const std::string& n) const {
    const Two across = {0, 3}, down = {3, 0};
    at::Tensor one = conv(x, n + "branch7x7_1"), two = conv(x, n + "branch7x7dbl_1");
    one = conv(conv(one, n + "branch7x7_2", 1, across), n + "branch7x7_3", 1, down);
    two = conv(conv(two, n + "branch7x7dbl_2", 1, down), n + "branch7x7dbl_3", 1, across);
    two = conv(conv(two, n + "branch7x7dbl_4", 1, down), n + "branch7x7dbl_5", 1, across);
    return at::cat({conv(x, n + "branch1x1"), one, two, conv(average(x), n + "branch_pool")}, 1);
  }
  at::Tensor d(const at::Tensor& x, const std::string& n) const {
    at::Tensor two = conv(conv(x, n + "branch7x7x3_1"), n + "branch7x7x3_2", 1, {0, 3});
    two = conv(conv(two, n + "branch7x7x3_3", 1, {3, 0}), n + "branch7x7x3_4", 2);
    return at::cat({conv(conv(x, n + "branch3x3_1"), n + "branch3x3_2", 2), two,
                    at::max_pool2d(x, {3, 3}, {2, 2})},
                   1);
  }
  at::Tensor e(const at::Tensor& x, const std::string& n, bool maximum) const {
    const at::Tensor one = conv(x, n + "branch3x3_1");
    const at::Tensor two = conv(conv(x, n + "branch3x3dbl_1"), n + "branch3x3dbl_2", 1, {1, 1});
    const at::Tensor pooled = maximum ? at::max_pool2d(x, {3, 3}, {1, 1}, {1, 1}) : average(x);
    return at::cat(
        {conv(x, n + "branch1x1"), conv(one, n + "branch3x3_2a", 1, {0, 1}),
         conv(one, n + "branch3x3_2b", 1, {1, 0}), conv(two, n + "branch3x3dbl_3a", 1, {0, 1}),
         conv(two, n + "branch3x3dbl_3b", 1, {1, 0}), conv(pooled, n + "branch_pool")},
        1);
  }

  const RandomWeights& weights_;
};

TEST(Inception, EqualsTheNetworkWrittenDownPlainly) {
  const at::NoGradGuard no_grad;
  RandomWeights weights;
  const Inception network(
      [&](const std::string& name, at::IntArrayRef shape) { return weights(name, shape); });
  EXPECT_EQ(weights.tensors.size(), 94u * 5 + 2);
  const at::Tensor inputs = at::rand({2, 3, 139, 107}) * 2 - 1;  // smaller than 299: cheaper
  const at::Tensor features = network.features(inputs);
  const at::Tensor expected = Plain(weights).features(inputs);
  ASSERT_EQ(features.sizes(), (at::IntArrayRef{2, Inception::kFeatures}));
  EXPECT_GT(expected.mean().item<double>(), 0.01);
  EXPECT_LT((features - expected).abs().max().item<double>(),
            1e-4 * expected.mean().item<double>());
  const at::Tensor logits = network.logits(features);
  EXPECT_TRUE(
      at::allclose(logits, at::mm(features, weights.tensors.at("fc.weight").t()), 1e-4, 1e-3));
}

TEST(Inception, PassesOnWhatTheSourceSays) {
  EXPECT_THROW(Inception([](const std::string& name, at::IntArrayRef) -> at::Tensor {
                 throw Error("file", name + " is missing");
               }),
               Error);
}

}  // namespace
}  // namespace vq
