#include "lib/scoring/clip_image.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace vq {
namespace {

Image flat(int width, int height, uint8_t value) {
  return {width, height, std::vector<uint8_t>(static_cast<size_t>(width) * height * 3, value)};
}

TEST(ClipInput, KeepsTheMiddleAndScales) {
  for (const auto& [w, h] : {std::pair{300, 200}, {200, 300}, {224, 224}, {50, 1000}}) {
    const at::Tensor x = clip_input(flat(w, h, 100), 224);
    ASSERT_EQ(x.sizes(), (at::IntArrayRef{3, 224, 224}));
    EXPECT_NEAR(x[0][5][7].item<double>(), (100 / 255.0 - 0.48145466) / 0.26862954, 1e-5);
    EXPECT_NEAR(x[2][5][7].item<double>(), (100 / 255.0 - 0.40821073) / 0.27577711, 1e-5);
  }
  Image image = flat(8, 4, 0);  // the middle four columns are white
  for (int y = 0; y < 4; ++y) {
    for (int i = 3 * 2; i < 3 * 6; ++i) image.rgb[static_cast<size_t>(y) * 24 + i] = 255;
  }
  EXPECT_NEAR(clip_input(image, 4)[0].min().item<double>(), (1 - 0.48145466) / 0.26862954, 1e-5);
}

// One layer whose branches add nothing: what is left is the class row through two norms.
TEST(ClipImage, IsItsFormulaWhereLayersAddNothing) {
  constexpr int64_t kWidth = 64, kOut = 8;
  ClipImage tower;
  tower.patches = at::randn({kWidth, 3, 4, 4});
  tower.class_row = at::randn({kWidth});
  tower.positions = at::randn({5, kWidth});
  tower.before_weight = at::rand({kWidth}), tower.before_bias = at::rand({kWidth});
  tower.after_weight = at::rand({kWidth}), tower.after_bias = at::rand({kWidth});
  tower.projection = at::randn({kWidth, kOut});
  tower.heads = 1;
  const at::Tensor none = at::zeros({kWidth}), ones = at::ones({kWidth});
  tower.layers.push_back({ones, none, at::randn({3 * kWidth, kWidth}), at::zeros({3 * kWidth}),
                          at::zeros({kWidth, kWidth}), none, ones, none,
                          at::randn({2 * kWidth, kWidth}), at::zeros({2 * kWidth}),
                          at::zeros({kWidth, 2 * kWidth}), none});
  EXPECT_EQ(tower.size(), 8);
  const at::Tensor result = tower(at::randn({2, 3, 8, 8}));
  const auto norm = [](const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
    const at::Tensor centred = x - x.mean();
    return centred / (centred.pow(2).mean() + 1e-5).sqrt() * weight + bias;
  };
  at::Tensor x = norm(tower.class_row + tower.positions[0], tower.before_weight, tower.before_bias);
  x = norm(x, tower.after_weight, tower.after_bias).unsqueeze(0).mm(tower.projection)[0];
  EXPECT_TRUE(at::allclose(result[0], x / x.norm(), 1e-4, 1e-5));
  EXPECT_TRUE(at::allclose(result[1], result[0], 1e-4, 1e-5));
}

}  // namespace
}  // namespace vq
