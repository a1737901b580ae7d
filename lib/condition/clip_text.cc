#include "lib/condition/clip_text.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>
#include <limits>

#include "formats/error.h"
#include "lib/runtime/device.h"

namespace vq {
namespace {

constexpr int64_t kMostOfASize = int64_t{1} << 24;  // a damaged file shall not take all memory

const char* precision_word(ClipPrecision precision) {
  return precision == ClipPrecision::fp16 ? "fp16" : "fp32";
}

ClipPrecision parse_precision(const std::string& word, const std::string& where) {
  for (const auto precision : {ClipPrecision::fp32, ClipPrecision::fp16}) {
    if (word == precision_word(precision)) return precision;
  }
  throw Error(where, "the precision of its text tower is '" + word + "', not one of fp32, fp16");
}

Linear blank_linear(Parameters& p, const std::string& name, int64_t in, int64_t out) {
  Linear layer;
  layer.weight = p.buffer(name + ".weight", at::zeros({out, in}));
  layer.bias = p.buffer(name + ".bias", at::zeros({out}));
  return layer;
}

LayerNorm blank_norm(Parameters& p, const std::string& name, int64_t width) {
  LayerNorm layer;
  layer.weight = p.buffer(name + ".weight", at::ones({width}));
  layer.bias = p.buffer(name + ".bias", at::zeros({width}));
  return layer;
}

Embedding blank_embedding(Parameters& p, const std::string& name, int64_t rows, int64_t width) {
  Embedding layer;
  layer.weight = p.buffer(name + ".weight", at::zeros({rows, width}));
  return layer;
}

}  // namespace

void ClipTextConfig::to_json(Json& json) const {
  json["layers"] = layers;
  json["width"] = width;
  json["heads"] = heads;
  json["inner"] = inner;
  json["vocabulary"] = vocabulary;
  json["length"] = length;
  json["precision"] = precision_word(precision);
}

ClipTextConfig ClipTextConfig::from_json(const Json& json, const std::string& where) {
  ClipTextConfig c;
  const auto size = [&](const char* name) {
    const int64_t value = json.at(name);
    if (value < 1 || value > kMostOfASize)
      throw Error(where, std::string("the text tower's ") + name + " is " + std::to_string(value));
    return value;
  };
  try {
    c.layers = size("layers"), c.width = size("width"), c.heads = size("heads");
    c.inner = size("inner"), c.vocabulary = size("vocabulary"), c.length = size("length");
    c.precision = parse_precision(json.at("precision"), where);
  } catch (const Json::exception& e) {
    throw Error(where,
                std::string("the description of the text tower is not complete: ") + e.what());
  }
  if (c.width % c.heads != 0)
    throw Error(where, "the text tower's width is no multiple of its heads");
  return c;
}

ClipText::ClipText(Parameters& p, const std::string& name, const ClipTextConfig& c)
    : config_(c),
      token_(blank_embedding(p, name + ".embedding.token", c.vocabulary, c.width)),
      position_(blank_embedding(p, name + ".embedding.position", c.length, c.width)) {
  for (int64_t i = 0; i < c.layers; ++i) {
    const std::string layer = name + ".layers." + std::to_string(i);
    layers_.push_back({blank_norm(p, layer + ".norm_self", c.width),
                       blank_norm(p, layer + ".norm_mlp", c.width),
                       blank_linear(p, layer + ".self.qkv", c.width, 3 * c.width),
                       blank_linear(p, layer + ".self.out", c.width, c.width),
                       blank_linear(p, layer + ".mlp.in", c.width, c.inner),
                       blank_linear(p, layer + ".mlp.out", c.inner, c.width)});
  }
  norm_ = blank_norm(p, name + ".norm", c.width);
}

at::Tensor ClipText::rounded(const at::Tensor& x) const {
  return config_.precision == ClipPrecision::fp16 ? x.to(at::kHalf).to(at::kFloat) : x;
}

at::Tensor ClipText::linear(const Linear& layer, const at::Tensor& x) const {
  if (config_.precision == ClipPrecision::fp32) return layer(x);
  Linear half;
  half.weight = rounded(layer.weight), half.bias = rounded(layer.bias);
  return rounded(half(x));
}

at::Tensor ClipText::attend(const Layer& layer, const at::Tensor& x) const {
  const int64_t batch = x.size(0), length = x.size(1), width = x.size(2);
  const auto split = [&](const at::Tensor& part) {  // (B, S, W) -> (B, heads, S, W / heads)
    return part.view({batch, length, config_.heads, -1}).transpose(1, 2);
  };
  const std::vector<at::Tensor> parts = linear(layer.qkv, x).chunk(3, -1);
  const double scale = 1 / std::sqrt(static_cast<double>(width / config_.heads));
  const at::Tensor query = rounded(parts[0] * scale);
  const at::Tensor scores = rounded(split(query).matmul(split(parts[1]).transpose(2, 3)));
  const at::Tensor later = at::ones({length, length}, scores.options().dtype(at::kBool)).triu(1);
  const at::Tensor weights =
      rounded(scores.masked_fill(later, -std::numeric_limits<float>::infinity()).softmax(-1));
  const at::Tensor heard = rounded(weights.matmul(split(parts[2])));
  return linear(layer.out, heard.transpose(1, 2).reshape({batch, length, width}));
}

at::Tensor ClipText::mlp(const Layer& layer, const at::Tensor& x) const {
  constexpr double kSlope = 1.702;
  const at::Tensor y = linear(layer.mlp_in, x);
  const at::Tensor gate = rounded(at::sigmoid(rounded(y * kSlope)));
  return linear(layer.mlp_out, rounded(y * gate));
}

at::Tensor ClipText::hidden(const at::Tensor& ids) const {
  const at::NoGradGuard no_grad;
  const at::Device device = position_.weight.device();
  const AutocastScope whole(device, Precision::fp32);
  at::Tensor x = rounded(rounded(token_(ids.to(device))) + rounded(position_.weight));
  for (const Layer& layer : layers_) {
    x = rounded(x + attend(layer, rounded(layer.norm_self(x))));
    x = rounded(x + mlp(layer, rounded(layer.norm_mlp(x))));
  }
  return rounded(norm_(x));
}

at::Tensor ClipText::operator()(const at::Tensor& ids) const {
  const at::NoGradGuard no_grad;
  const at::Tensor x = hidden(ids);
  const at::Tensor norm = rounded(at::linalg_vector_norm(x, 2, at::IntArrayRef{-1}, true));
  return rounded(x / norm);
}

}  // namespace vq
