#include "lib/scoring/squeezenet.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

namespace vq {
namespace {

TEST(SqueezeNet, HasThePublishedShapes) {
  const at::NoGradGuard no_grad;
  const SqueezeNet network;
  EXPECT_EQ(network.parameters.count(), 1235496);  // the published count of version 1.1
  const at::Tensor images = at::zeros({2, 3, SqueezeNet::kSize, SqueezeNet::kSize});
  EXPECT_EQ(network.hidden(images).sizes(), (at::IntArrayRef{2, 512, 14, 14}));
  EXPECT_EQ(network.logits(images).sizes(), (at::IntArrayRef{2, 1000}));
  EXPECT_EQ(network.parameters.get("fire6.expand3x3.weight").sizes(),
            (at::IntArrayRef{192, 48, 3, 3}));
}

// What reaches the first convolution: blue, green, red in 0..255, plus the file's mean.
TEST(SqueezeNet, TakesBytesInTheOrderBlueGreenRed) {
  const at::NoGradGuard no_grad;
  SqueezeNet network;
  const at::Tensor mean = at::tensor({-100.0f, -110.0f, -120.0f});
  network.parameters.get("input.bgr_mean_add").copy_(mean);
  const at::Tensor images = at::zeros({1, 3, SqueezeNet::kSize, SqueezeNet::kSize});
  images[0][0].fill_(20 / 127.5 - 1);  // red 20, green 10, blue 0
  images[0][1].fill_(10 / 127.5 - 1);
  images[0][2].fill_(-1);
  const at::Tensor first = network.hidden(images);

  // The same numbers as a mean of zero colour: a picture whose bytes are the means themselves.
  network.parameters.get("input.bgr_mean_add").copy_(mean + at::tensor({0.0f, 10.0f, 20.0f}));
  const at::Tensor black = at::full({1, 3, SqueezeNet::kSize, SqueezeNet::kSize}, -1.0);
  EXPECT_TRUE(at::allclose(network.hidden(black), first, 1e-3, 1e-4));
}

}  // namespace
}  // namespace vq
