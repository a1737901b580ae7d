#include "lib/scoring/squeezenet.h"

#include <ATen/ATen.h>

namespace vq {
namespace {

// Caffe's pooling, in which the network was made, rounds sizes up.
at::Tensor pool(const at::Tensor& x) {
  return at::max_pool2d(x, {3, 3}, {2, 2}, {0, 0}, {1, 1}, /*ceil_mode=*/true);
}

struct FireSize {
  int64_t in, squeezed, expanded;
};
constexpr FireSize kFires[] = {{64, 16, 64},   {128, 16, 64},  {128, 32, 128}, {256, 32, 128},
                               {256, 48, 192}, {384, 48, 192}, {384, 64, 256}, {512, 64, 256}};

}  // namespace

SqueezeNet::Fire::Fire(Parameters& p, const std::string& name, int64_t in, int64_t squeezed,
                       int64_t expanded)
    : squeeze(p, name + ".squeeze1x1", in, squeezed, 1),
      expand_1(p, name + ".expand1x1", squeezed, expanded, 1),
      expand_3(p, name + ".expand3x3", squeezed, expanded, 3) {}

at::Tensor SqueezeNet::Fire::operator()(const at::Tensor& x) const {
  const at::Tensor few = at::relu(squeeze(x));
  return at::relu(at::cat({expand_1(few), expand_3(few)}, 1));
}

SqueezeNet::SqueezeNet()
    : mean_add_(parameters.buffer("input.bgr_mean_add", at::zeros({3}))),
      conv1_(parameters, "conv1", 3, 64, 3, 2, 0) {
  int number = 2;
  for (const FireSize& size : kFires) {
    fires_.emplace_back(parameters, "fire" + std::to_string(number++), size.in, size.squeezed,
                        size.expanded);
  }
  conv10_ = Conv2d(parameters, "conv10", 512, 1000, 1);
}

at::Tensor SqueezeNet::hidden(const at::Tensor& images) const {
  const at::Tensor bytes = (images.flip(1) + 1) * 127.5 + mean_add_.view({1, 3, 1, 1});
  at::Tensor x = pool(at::relu(conv1_(bytes)));
  for (size_t i = 0; i < fires_.size(); ++i) {
    x = fires_[i](x);
    if (i == 1 || i == 3) x = pool(x);  // after fire3 and fire5
  }
  return x;
}

at::Tensor SqueezeNet::logits(const at::Tensor& images) const {
  return at::relu(conv10_(hidden(images))).mean({2, 3});
}

}  // namespace vq
