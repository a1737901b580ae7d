#include "lib/scoring/inception.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <array>
#include <optional>
#include <vector>

namespace vq {
namespace {

using Side2 = std::array<int64_t, 2>;  // (down, across)

constexpr double kEpsilon = 1e-3;

// A convolution with its batch norm folded in.
struct Conv {
  at::Tensor weight, bias;
  Side2 padding = {0, 0};
  int64_t stride = 1;

  at::Tensor linear(const at::Tensor& x) const {
    return at::conv2d(x, weight, bias, {stride, stride}, padding);
  }
  at::Tensor operator()(const at::Tensor& x) const { return linear(x).relu_(); }
};

// Makes layers of a source, and keeps a list of what has to move with them.
class Maker {
 public:
  Maker(const Inception::Source& source, std::vector<at::Tensor*>& all)
      : source_(source), all_(all) {}

  Conv folded(const std::string& name, int64_t in, int64_t out, Side2 kernel, int64_t stride = 1,
              Side2 padding = {0, 0}) const {
    const auto norm = [&](const char* part) {
      return source_(name + ".bn." + part, {out}).to(at::kDouble);
    };
    const at::Tensor weight = source_(name + ".conv.weight", {out, in, kernel[0], kernel[1]});
    const at::Tensor gamma = norm("weight"), beta = norm("bias");
    const at::Tensor mean = norm("running_mean"), variance = norm("running_var");
    const at::Tensor scale = gamma * (variance + kEpsilon).rsqrt();
    return {(weight.to(at::kDouble) * scale.view({-1, 1, 1, 1})).to(at::kFloat),
            (beta - mean * scale).to(at::kFloat), padding, stride};
  }
  void keep(Conv& conv) const {
    conv.weight = conv.weight.contiguous(at::MemoryFormat::ChannelsLast);
    all_.push_back(&conv.weight);
    all_.push_back(&conv.bias);
  }
  at::Tensor plain(const std::string& name, at::IntArrayRef shape) const {
    return source_(name, shape).to(at::kFloat).clone();
  }
  void keep(at::Tensor& tensor) const { all_.push_back(&tensor); }

 private:
  const Inception::Source& source_;
  std::vector<at::Tensor*>& all_;
};

// 1 x 1 convolutions of one input as one; the last of them may be behind an average.
struct Fan {
  Conv all;
  std::vector<int64_t> widths;
  bool averaged = false;

  std::vector<at::Tensor> operator()(const at::Tensor& x) const {
    const at::Tensor y = all.linear(x);
    std::vector<at::Tensor> parts;
    int64_t at = 0;
    for (const int64_t width : widths) {
      parts.push_back(y.narrow(1, at, width));
      at += width;
    }
    if (averaged) {
      parts.back() = at::avg_pool2d(parts.back().contiguous(at::MemoryFormat::ChannelsLast), {3, 3},
                                    {1, 1}, {1, 1}, /*ceil_mode=*/false,
                                    /*count_include_pad=*/false);
    }
    for (at::Tensor& part : parts) part = at::relu(part);
    return parts;
  }
};

Fan fan(const Maker& make, const std::string& name, int64_t in,
        const std::vector<std::pair<const char*, int64_t>>& branches, bool averaged) {
  Fan result{{}, {}, averaged};
  std::vector<at::Tensor> weights, biases;
  for (const auto& [branch, width] : branches) {
    const Conv one = make.folded(name + "." + branch, in, width, {1, 1});
    weights.push_back(one.weight);
    biases.push_back(one.bias);
    result.widths.push_back(width);
  }
  result.all = {at::cat(weights), at::cat(biases)};
  return result;
}

at::Tensor shrink(const at::Tensor& x) { return at::max_pool2d(x, {3, 3}, {2, 2}); }

// A row of convolutions.
using Chain = std::vector<Conv>;
at::Tensor run(const Chain& chain, at::Tensor x) {
  for (const Conv& conv : chain) x = conv(x);
  return x;
}

struct Module {
  virtual ~Module() = default;
  virtual at::Tensor operator()(const at::Tensor& x) const = 0;
  virtual void keep(const Maker& make) = 0;
};

void keep_all(const Maker& make, Chain& chain) {
  for (Conv& conv : chain) make.keep(conv);
}

// 35 x 35: 1x1, 5x5, twice 3x3, average.
struct ModuleA : Module {
  Fan first;
  Chain wide, twice;

  ModuleA(const Maker& make, const std::string& name, int64_t in, int64_t pooled)
      : first(fan(make, name, in,
                  {{"branch1x1", 64},
                   {"branch5x5_1", 48},
                   {"branch3x3dbl_1", 64},
                   {"branch_pool", pooled}},
                  true)) {
    wide = {make.folded(name + ".branch5x5_2", 48, 64, {5, 5}, 1, {2, 2})};
    twice = {make.folded(name + ".branch3x3dbl_2", 64, 96, {3, 3}, 1, {1, 1}),
             make.folded(name + ".branch3x3dbl_3", 96, 96, {3, 3}, 1, {1, 1})};
  }
  void keep(const Maker& make) override {
    make.keep(first.all);
    keep_all(make, wide);
    keep_all(make, twice);
  }
  at::Tensor operator()(const at::Tensor& x) const override {
    const auto part = first(x);
    return at::cat({part[0], run(wide, part[1]), run(twice, part[2]), part[3]}, 1);
  }
};

// 35 x 35 -> 17 x 17.
struct ModuleB : Module {
  Chain once, twice;

  ModuleB(const Maker& make, const std::string& name, int64_t in)
      : once{make.folded(name + ".branch3x3", in, 384, {3, 3}, 2)},
        twice{make.folded(name + ".branch3x3dbl_1", in, 64, {1, 1}),
              make.folded(name + ".branch3x3dbl_2", 64, 96, {3, 3}, 1, {1, 1}),
              make.folded(name + ".branch3x3dbl_3", 96, 96, {3, 3}, 2)} {}
  void keep(const Maker& make) override {
    keep_all(make, once);
    keep_all(make, twice);
  }
  at::Tensor operator()(const at::Tensor& x) const override {
    return at::cat({run(once, x), run(twice, x), shrink(x)}, 1);
  }
};

// 17 x 17: 7x7 as 1x7 and 7x1, once and twice.
struct ModuleC : Module {
  Fan first;
  Chain once, twice;

  ModuleC(const Maker& make, const std::string& name, int64_t in, int64_t width)
      : first(fan(make, name, in,
                  {{"branch1x1", 192},
                   {"branch7x7_1", width},
                   {"branch7x7dbl_1", width},
                   {"branch_pool", 192}},
                  true)) {
    const auto across = [&](const char* branch, int64_t out) {
      return make.folded(name + branch, width, out, {1, 7}, 1, {0, 3});
    };
    const auto down = [&](const char* branch, int64_t out) {
      return make.folded(name + branch, width, out, {7, 1}, 1, {3, 0});
    };
    once = {across(".branch7x7_2", width), down(".branch7x7_3", 192)};
    twice = {down(".branch7x7dbl_2", width), across(".branch7x7dbl_3", width),
             down(".branch7x7dbl_4", width), across(".branch7x7dbl_5", 192)};
  }
  void keep(const Maker& make) override {
    make.keep(first.all);
    keep_all(make, once);
    keep_all(make, twice);
  }
  at::Tensor operator()(const at::Tensor& x) const override {
    const auto part = first(x);
    return at::cat({part[0], run(once, part[1]), run(twice, part[2]), part[3]}, 1);
  }
};

// 17 x 17 -> 8 x 8.
struct ModuleD : Module {
  Fan first;
  Chain small, large;

  ModuleD(const Maker& make, const std::string& name, int64_t in)
      : first(fan(make, name, in, {{"branch3x3_1", 192}, {"branch7x7x3_1", 192}}, false)),
        small{make.folded(name + ".branch3x3_2", 192, 320, {3, 3}, 2)},
        large{make.folded(name + ".branch7x7x3_2", 192, 192, {1, 7}, 1, {0, 3}),
              make.folded(name + ".branch7x7x3_3", 192, 192, {7, 1}, 1, {3, 0}),
              make.folded(name + ".branch7x7x3_4", 192, 192, {3, 3}, 2)} {}
  void keep(const Maker& make) override {
    make.keep(first.all);
    keep_all(make, small);
    keep_all(make, large);
  }
  at::Tensor operator()(const at::Tensor& x) const override {
    const auto part = first(x);
    return at::cat({run(small, part[0]), run(large, part[1]), shrink(x)}, 1);
  }
};

// 8 x 8: branches that fork into 1x3 and 3x1. The first of the two has an average as its pool, the
// second a maximum.
struct ModuleE : Module {
  Fan first;
  std::optional<Conv> after_maximum;
  Conv across, down, third, third_across, third_down;

  ModuleE(const Maker& make, const std::string& name, int64_t in, bool maximum) {
    std::vector<std::pair<const char*, int64_t>> branches = {
        {"branch1x1", 320}, {"branch3x3_1", 384}, {"branch3x3dbl_1", 448}};
    if (maximum) {
      after_maximum = make.folded(name + ".branch_pool", in, 192, {1, 1});
    } else {
      branches.push_back({"branch_pool", 192});
    }
    first = fan(make, name, in, branches, !maximum);
    across = make.folded(name + ".branch3x3_2a", 384, 384, {1, 3}, 1, {0, 1});
    down = make.folded(name + ".branch3x3_2b", 384, 384, {3, 1}, 1, {1, 0});
    third = make.folded(name + ".branch3x3dbl_2", 448, 384, {3, 3}, 1, {1, 1});
    third_across = make.folded(name + ".branch3x3dbl_3a", 384, 384, {1, 3}, 1, {0, 1});
    third_down = make.folded(name + ".branch3x3dbl_3b", 384, 384, {3, 1}, 1, {1, 0});
  }
  void keep(const Maker& make) override {
    make.keep(first.all);
    if (after_maximum) make.keep(*after_maximum);
    for (Conv* conv : {&across, &down, &third, &third_across, &third_down}) make.keep(*conv);
  }
  at::Tensor operator()(const at::Tensor& x) const override {
    const auto part = first(x);
    const at::Tensor deep = third(part[2]);
    const at::Tensor pooled =
        after_maximum ? (*after_maximum)(at::max_pool2d(x, {3, 3}, {1, 1}, {1, 1})) : part[3];
    return at::cat(
        {part[0], across(part[1]), down(part[1]), third_across(deep), third_down(deep), pooled}, 1);
  }
};

}  // namespace

struct Inception::Layers {
  Chain stem[3];  // a maximum over 3 x 3 follows the second and the third
  std::vector<std::unique_ptr<Module>> modules;
  at::Tensor classes;
  std::vector<at::Tensor*> all;
};

Inception::Inception(const Source& source) : layers_(std::make_unique<Layers>()) {
  const at::NoGradGuard no_grad;
  Layers& l = *layers_;
  const Maker make(source, l.all);
  l.stem[0] = {make.folded("Conv2d_1a_3x3", 3, 32, {3, 3}, 2)};
  l.stem[1] = {make.folded("Conv2d_2a_3x3", 32, 32, {3, 3}),
               make.folded("Conv2d_2b_3x3", 32, 64, {3, 3}, 1, {1, 1})};
  l.stem[2] = {make.folded("Conv2d_3b_1x1", 64, 80, {1, 1}),
               make.folded("Conv2d_4a_3x3", 80, 192, {3, 3})};
  const auto add = [&](auto module) { l.modules.push_back(std::move(module)); };
  add(std::make_unique<ModuleA>(make, "Mixed_5b", 192, 32));
  add(std::make_unique<ModuleA>(make, "Mixed_5c", 256, 64));
  add(std::make_unique<ModuleA>(make, "Mixed_5d", 288, 64));
  add(std::make_unique<ModuleB>(make, "Mixed_6a", 288));
  add(std::make_unique<ModuleC>(make, "Mixed_6b", 768, 128));
  add(std::make_unique<ModuleC>(make, "Mixed_6c", 768, 160));
  add(std::make_unique<ModuleC>(make, "Mixed_6d", 768, 160));
  add(std::make_unique<ModuleC>(make, "Mixed_6e", 768, 192));
  add(std::make_unique<ModuleD>(make, "Mixed_7a", 768));
  add(std::make_unique<ModuleE>(make, "Mixed_7b", 1280, false));
  add(std::make_unique<ModuleE>(make, "Mixed_7c", 2048, true));
  l.classes = make.plain("fc.weight", {kClasses, kFeatures});
  source("fc.bias", {kClasses});
  for (Chain& chain : l.stem) keep_all(make, chain);
  for (const auto& module : l.modules) module->keep(make);
  make.keep(l.classes);
}

Inception::~Inception() = default;

void Inception::to(at::Device device) {
  for (at::Tensor* tensor : layers_->all) *tensor = tensor->to(device);
}

at::Tensor Inception::features(const at::Tensor& inputs) const {
  const at::NoGradGuard no_grad;
  const Layers& l = *layers_;
  at::Tensor x = inputs.to(l.classes.device()).contiguous(at::MemoryFormat::ChannelsLast);
  x = run(l.stem[0], x);
  x = shrink(run(l.stem[1], x));
  x = shrink(run(l.stem[2], x));
  for (const auto& module : l.modules) x = (*module)(x);
  return x.mean({2, 3});
}

at::Tensor Inception::logits(const at::Tensor& features) const {
  const at::NoGradGuard no_grad;
  return at::linear(features.to(layers_->classes.device(), at::kFloat), layers_->classes);
}

}  // namespace vq
