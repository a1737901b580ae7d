#include "lib/scoring/clip_image.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>

#include "lib/codec/pixels.h"

namespace vq {
namespace {

constexpr double kMean[] = {0.48145466, 0.4578275, 0.40821073};
constexpr double kDeviation[] = {0.26862954, 0.26130258, 0.27577711};
constexpr double kSlope = 1.702;

at::Tensor norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  return at::layer_norm(x, weight.sizes(), weight, bias, 1e-5);
}

at::Tensor attend(const ClipImageLayer& layer, const at::Tensor& x, int64_t heads) {
  const int64_t batch = x.size(0), length = x.size(1), width = x.size(2);
  const at::Tensor parts = at::linear(x, layer.qkv_weight, layer.qkv_bias)
                               .view({batch, length, 3, heads, width / heads})
                               .permute({2, 0, 3, 1, 4});
  const at::Tensor heard = at::scaled_dot_product_attention(parts[0], parts[1], parts[2]);
  return at::linear(heard.transpose(1, 2).reshape({batch, length, width}), layer.out_weight,
                    layer.out_bias);
}

at::Tensor think(const ClipImageLayer& layer, const at::Tensor& x) {
  const at::Tensor y = at::linear(x, layer.in_weight, layer.in_bias);
  return at::linear(y * at::sigmoid(y * kSlope), layer.back_weight, layer.back_bias);
}

}  // namespace

int64_t ClipImage::size() const {
  const auto side = static_cast<int64_t>(std::lround(std::sqrt(positions.size(0) - 1)));
  return side * patches.size(2);
}

void ClipImage::to(at::Device device) {
  for (at::Tensor* t : {&patches, &class_row, &positions, &before_weight, &before_bias,
                        &after_weight, &after_bias, &projection}) {
    *t = t->to(device);
  }
  for (ClipImageLayer& l : layers) {
    for (at::Tensor* t : {&l.norm_1_weight, &l.norm_1_bias, &l.qkv_weight, &l.qkv_bias,
                          &l.out_weight, &l.out_bias, &l.norm_2_weight, &l.norm_2_bias,
                          &l.in_weight, &l.in_bias, &l.back_weight, &l.back_bias}) {
      *t = t->to(device);
    }
  }
}

at::Tensor ClipImage::operator()(const at::Tensor& inputs) const {
  const at::NoGradGuard no_grad;
  const int64_t batch = inputs.size(0), width = class_row.size(0), step = patches.size(2);
  const at::Tensor cells =
      at::conv2d(inputs.to(class_row.device()), patches, {}, step).flatten(2).transpose(1, 2);
  at::Tensor x = at::cat({class_row.expand({batch, 1, width}), cells}, 1) + positions;
  x = norm(x, before_weight, before_bias);
  for (const ClipImageLayer& layer : layers) {
    x = x + attend(layer, norm(x, layer.norm_1_weight, layer.norm_1_bias), heads);
    x = x + think(layer, norm(x, layer.norm_2_weight, layer.norm_2_bias));
  }
  const at::Tensor y = norm(x.select(1, 0), after_weight, after_bias).mm(projection);
  return y / at::linalg_vector_norm(y, 2, at::IntArrayRef{-1}, true);
}

at::Tensor clip_input(const Image& picture, int64_t size) {
  const int64_t width = picture.width, height = picture.height, least = std::min(width, height);
  const int64_t new_width = width == least ? size : size * width / least;
  const int64_t new_height = height == least ? size : size * height / least;
  const Image fitted = resample(picture, static_cast<int>(new_width), static_cast<int>(new_height));
  // Half a pixel goes to the even side, as Python rounds.
  const auto offset = [&](int64_t side) {
    return static_cast<int64_t>(std::nearbyint(static_cast<double>(side - size) / 2));
  };
  const at::Tensor middle = to_tensor(fitted)
                                .narrow(0, offset(new_height), size)
                                .narrow(1, offset(new_width), size)
                                .permute({2, 0, 1})
                                .to(at::kFloat);
  const at::Tensor mean = at::tensor({kMean[0], kMean[1], kMean[2]}, at::kFloat).view({3, 1, 1});
  const at::Tensor deviation =
      at::tensor({kDeviation[0], kDeviation[1], kDeviation[2]}, at::kFloat).view({3, 1, 1});
  return (middle / 255 - mean) / deviation;
}

}  // namespace vq
