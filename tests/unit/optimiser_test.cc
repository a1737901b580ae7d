#include "lib/training/optimiser.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <limits>

#include "formats/error.h"

namespace vq {
namespace {

// Sets the gradients of all weights: a function of the step, so that two runs can be compared.
void set_gradients(Parameters& p, int step) {
  int64_t number = 0;
  for (const at::Tensor& w : p.trainable()) {
    const at::Tensor phase = at::arange(w.numel(), at::kFloat).view(w.sizes());
    at::Tensor to = w;
    to.mutable_grad() = at::sin(phase * 0.7 + step * 1.3 + static_cast<double>(number++));
  }
}

// One number of AdamW as in the paper, in double.
struct Reference {
  double weight, mean = 0, square = 0;
  int steps = 0;
  void step(double gradient, double rate, double decay, const OptimiserOptions& o) {
    ++steps;
    weight -= rate * decay * weight;
    mean = o.beta1 * mean + (1 - o.beta1) * gradient;
    square = o.beta2 * square + (1 - o.beta2) * gradient * gradient;
    const double mean_hat = mean / (1 - std::pow(o.beta1, steps));
    const double square_hat = square / (1 - std::pow(o.beta2, steps));
    weight -= rate * mean_hat / (std::sqrt(square_hat) + o.epsilon);
  }
};

TEST(AdamW, FollowsTheReferenceAndDecaysMatricesOnly) {
  Parameters p(1);
  p.normal("matrix", {3, 4}, 1);
  p.normal("vector", {5}, 1);
  OptimiserOptions options;
  options.learning_rate = 0.1;
  options.weight_decay = 0.3;
  options.clip_norm = 0;
  Optimiser optimiser(p, options);
  std::vector<std::vector<Reference>> expected;
  for (const at::Tensor& w : p.trainable()) {
    std::vector<Reference>& list = expected.emplace_back();
    for (int64_t i = 0; i < w.numel(); ++i) list.push_back({w.detach().view(-1)[i].item<double>()});
  }
  for (int step = 0; step < 5; ++step) {
    set_gradients(p, step);
    const double scale = 1.0 / (1 + step);
    for (size_t k = 0; k < 2; ++k) {
      const at::Tensor gradient = p.trainable()[k].grad().view(-1);
      for (size_t i = 0; i < expected[k].size(); ++i) {
        expected[k][i].step(gradient[static_cast<int64_t>(i)].item<double>(), 0.1 * scale,
                            k == 0 ? 0.3 : 0, options);
      }
    }
    optimiser.step(scale);
  }
  for (size_t k = 0; k < 2; ++k) {
    const at::Tensor w = p.trainable()[k].detach().view(-1);
    for (size_t i = 0; i < expected[k].size(); ++i) {
      EXPECT_NEAR(w[static_cast<int64_t>(i)].item<double>(), expected[k][i].weight, 2e-6);
    }
  }
}

TEST(Optimiser, AMissingGradientCountsAsZeroAndGradientsAreCleared) {
  Parameters p(1);
  const at::Tensor used = p.constant("used", {2}, 1), idle = p.constant("idle", {2}, 1);
  Optimiser optimiser(p, {});
  used.sum().backward();
  optimiser.step(1);
  EXPECT_LT(used[0].item<double>(), 1);
  EXPECT_EQ(idle[0].item<double>(), 1);
  EXPECT_FALSE(used.grad().defined());
}

TEST(Optimiser, ClipsTheNormOfAllGradientsTogether) {
  OptimiserOptions options;
  options.clip_norm = 0.5;
  options.beta1 = 0.5;
  Parameters p(1);
  p.constant("a", {2}, 0);
  p.constant("b", {1}, 0);
  Optimiser optimiser(p, options);
  p.get("a").mutable_grad() = at::tensor({2.0f, 4.0f});
  p.get("b").mutable_grad() = at::tensor({4.0f});
  EXPECT_NEAR(optimiser.step(1), 6, 1e-6);
  for (const NamedTensor& state : optimiser.state()) {
    if (state.name == "optimiser.mean.a") {
      EXPECT_NEAR(state.tensor[0].item<double>(), 0.5 * 2 * 0.5 / 6, 1e-7);
    }
    if (state.name == "optimiser.mean.b") {
      EXPECT_NEAR(state.tensor[0].item<double>(), 0.5 * 4 * 0.5 / 6, 1e-7);
    }
  }
}

TEST(Optimiser, AGradientThatIsNotFiniteChangesNothing) {
  for (const char* method : {"adamw", "muon"}) {
    Parameters p(1);
    const at::Tensor w = p.normal("layer.weight", {2, 2}, 1);
    const at::Tensor before = w.detach().clone();
    OptimiserOptions options;
    options.method = method;
    Optimiser optimiser(p, options);
    p.get("layer.weight").mutable_grad() =
        at::full({2, 2}, std::numeric_limits<float>::quiet_NaN());
    EXPECT_FALSE(std::isfinite(optimiser.step(1)));
    EXPECT_TRUE(at::equal(w.detach(), before));
    EXPECT_FALSE(w.grad().defined());
  }
}

TEST(Muon, StepsByAnOrthogonalMatrix) {
  OptimiserOptions options;
  options.method = "muon";
  options.weight_decay = 0;
  options.muon_rate = 0.1;
  options.clip_norm = 0;
  using Case = std::tuple<int64_t, int64_t, Precision>;
  for (const auto& [rows, columns, precision] :
       {Case{16, 48, Precision::fp32}, {48, 16, Precision::fp32}, {24, 24, Precision::fp32},
        {16, 48, Precision::bf16}, {48, 16, Precision::bf16}}) {
    options.muon_precision = precision;
    Parameters p(1), noise(2);
    const at::Tensor w = p.normal("layer.weight", {rows, columns}, 1);
    const at::Tensor before = w.detach().clone();
    Optimiser optimiser(p, options);
    p.get("layer.weight").mutable_grad() = noise.normal("g", {rows, columns}, 3).detach();
    optimiser.step(0.5);
    const double rate = 0.05 * std::sqrt(std::max(1.0, static_cast<double>(rows) / columns));
    const at::Tensor values = at::linalg_svdvals((before - w.detach()) / rate);
    EXPECT_GT(values.min().item<double>(), 0.5) << rows << " x " << columns;
    EXPECT_LT(values.max().item<double>(), 1.3) << rows << " x " << columns;
  }
}

// Against AdamW's rate the weights of a long run grow until attention is saturated.
TEST(Muon, DecaysByItsOwnRate) {
  OptimiserOptions options;
  options.method = "muon";
  options.muon_rate = 0.1;
  options.learning_rate = 1e-3;
  options.weight_decay = 0.5;
  Parameters p(1);
  const at::Tensor w = p.normal("layer.weight", {4, 6}, 1);
  const at::Tensor before = w.detach().clone();
  Optimiser optimiser(p, options);
  p.get("layer.weight").mutable_grad() = at::zeros({4, 6});
  optimiser.step(0.5);
  EXPECT_TRUE(at::allclose(w.detach(), before * (1 - 0.1 * 0.5 * 0.5), 1e-6, 1e-7));
}

TEST(Muon, TakesMatricesInsideTheNetworkOnly) {
  Parameters p(1);
  for (const char* name : {"blocks.0.query.weight", "embedding.weight", "norm.table.weight",
                           "head.weight", "condition.text.layers.0.mlp.in.weight",
                           "blocks.0.scale"}) {
    p.normal(name, {4, 4}, 1);
  }
  p.normal("blocks.0.query.bias", {4}, 1);
  OptimiserOptions options;
  options.method = "muon";
  std::vector<std::string> momentum;
  for (const NamedTensor& state : Optimiser(p, options).state()) {
    if (state.name.starts_with("optimiser.momentum.")) momentum.push_back(state.name);
  }
  EXPECT_EQ(momentum, std::vector<std::string>{"optimiser.momentum.blocks.0.query.weight"});
}

// The law: a run that was saved, loaded into a fresh optimiser and went on has the same bits.
TEST(Optimiser, GoesOnBitExactly) {
  const std::string path = testing::TempDir() + "optimiser_test.safetensors";
  for (const char* method : {"adamw", "muon"}) {
    OptimiserOptions options;
    options.method = method;
    const auto build = [](Parameters& p) {
      for (const char* name : {"a.weight", "b.weight"}) p.normal(name, {4, 6}, 1);
      p.normal("a.bias", {4}, 1);
    };
    Parameters straight(1), stopped(1);
    build(straight);
    build(stopped);
    Optimiser whole(straight, options), first(stopped, options);
    for (int step = 0; step < 6; ++step) {
      set_gradients(straight, step);
      whole.step(1);
    }
    for (int step = 0; step < 3; ++step) {
      set_gradients(stopped, step);
      first.step(1);
    }
    save_model(path, "training-state", Json::object(), Json::array(), first.state(), true);
    Optimiser second(stopped, options);
    second.load_state(SafetensorsFile(path));
    for (int step = 3; step < 6; ++step) {
      set_gradients(stopped, step);
      second.step(1);
    }
    for (const auto& entry : straight.entries()) {
      EXPECT_TRUE(at::equal(entry.tensor, stopped.get(entry.name))) << method << " " << entry.name;
    }
  }
  std::filesystem::remove(path);
}

TEST(Optimiser, RefusesAnUnknownMethodAndAStateThatLacksATensor) {
  Parameters p(1);
  p.normal("a", {2, 2}, 1);
  OptimiserOptions options;
  options.method = "sgd";
  EXPECT_THROW(Optimiser(p, options), Error);
  const std::string path = testing::TempDir() + "optimiser_lack_test.safetensors";
  save_model(path, "training-state", Json::object(), Json::array(), {}, true);
  Optimiser optimiser(p, {});
  EXPECT_THROW(optimiser.load_state(SafetensorsFile(path)), Error);
  std::filesystem::remove(path);
}

TEST(RateFactor, WarmsUpAndFalls) {
  for (const char* shape : {"constant", "linear", "cosine"}) {
    EXPECT_DOUBLE_EQ(rate_factor(shape, 9, 0, 0), 0.1) << shape;
    EXPECT_DOUBLE_EQ(rate_factor(shape, 9, 9, 0), 1) << shape;
    EXPECT_DOUBLE_EQ(rate_factor(shape, 0, 0, 0), 1) << shape;
  }
  EXPECT_DOUBLE_EQ(rate_factor("constant", 9, 100, 1), 1);
  EXPECT_DOUBLE_EQ(rate_factor("linear", 9, 100, 0.25), 0.75);
  EXPECT_DOUBLE_EQ(rate_factor("linear", 9, 100, 1.5), 0);
  EXPECT_NEAR(rate_factor("cosine", 9, 100, 0.5), 0.5, 1e-12);
  EXPECT_NEAR(rate_factor("cosine", 9, 100, 1), 0, 1e-12);
  EXPECT_THROW(rate_factor("square", 9, 100, 0.5), Error);
}

}  // namespace
}  // namespace vq
