#include "lib/codec/codec.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include "formats/error.h"
#include "lib/codec/codebook.h"

namespace vq {
namespace {

constexpr const char* kCodes = "quantize.embedding";

// LibTorch convolves a single small picture with another library than two, which rounds
// differently.
at::Tensor at_least_two(const at::Tensor& x) {
  return x.is_cpu() && x.size(0) == 1 ? at::cat({x, x}) : x;
}

}  // namespace

CodecNetwork::CodecNetwork(const CodecConfig& c, uint64_t seed)
    : config(c),
      parameters(seed),
      encoder(parameters, c),
      quant_conv(parameters, "quant_conv", c.latent, c.code_width),
      decoder(parameters, c),
      post_quant_conv(parameters, "post_quant_conv", c.code_width, c.latent),
      codes(parameters.buffer(kCodes, at::zeros({c.codes, c.code_width}))) {
  if (c.linear) linear.emplace(parameters, c.factor(), c.code_width);
}

void CodecNetwork::start_linear(const at::Tensor& images) {
  if (!linear) return;
  const at::NoGradGuard no_grad;
  linear->start(images);
  for (const char* name : {"encoder.conv_out.weight", "encoder.conv_out.bias", "quant_conv.bias",
                           "decoder.conv_out.weight", "decoder.conv_out.bias"}) {
    parameters.get(name).zero_();
  }
}

at::Tensor CodecNetwork::latent(const at::Tensor& images) const {
  auto z = quant_conv(encoder(images));
  return linear ? z + linear->in(images) : z;
}

at::Tensor CodecNetwork::picture(const at::Tensor& vectors) const {
  auto images = decoder(post_quant_conv(vectors));
  return linear ? images + linear->out(vectors) : images;
}

at::Tensor cells_to_rows(const at::Tensor& z) {
  return z.permute({0, 2, 3, 1}).reshape({-1, z.size(1)});
}

at::Tensor rows_to_cells(const at::Tensor& rows, int64_t batch, int64_t height, int64_t width) {
  return rows.view({batch, height, width, rows.size(1)}).permute({0, 3, 1, 2});
}

Codec Codec::load(const std::string& path) {
  const ModelFile file = open_model(path, "codec");
  const CodecConfig config = CodecConfig::from_json(file.config, path);
  auto network = std::make_unique<CodecNetwork>(config, 0);
  load_parameters(file, network->parameters);
  return Codec(std::move(network));
}

Codec::Codec(std::unique_ptr<CodecNetwork> network) : network_(std::move(network)) {
  network_->parameters.set_requires_grad(false);
  identity_ = codebook_identity(network_->codes);
  device_ = network_->codes.device();
}

void Codec::to(at::Device device) {
  network_->parameters.to(device, at::kFloat);
  device_ = device;
}

int64_t Codec::grid_side(int64_t pixels) const {
  const int64_t f = config().factor();
  if (pixels < f || pixels % f != 0) {
    throw Error("", fmt::format("pictures of {} pixels a side do not divide into this codec's "
                                "cells of {} pixels",
                                pixels, f));
  }
  return pixels / f;
}

at::Tensor Codec::encode(const at::Tensor& images) const {
  at::NoGradGuard no_grad;
  grid_side(images.size(2));
  grid_side(images.size(3));
  auto z = network_->latent(at_least_two(images.to(device_)));
  auto index = nearest_code(cells_to_rows(z.to(at::kFloat)), network_->codes);
  return index.view({z.size(0), -1}).narrow(0, 0, images.size(0)).to(at::kCPU);
}

at::Tensor Codec::decode(const at::Tensor& tokens, int64_t height, int64_t width) const {
  at::NoGradGuard no_grad;
  const int64_t codes = network_->codes.size(0);
  if (tokens.numel() > 0) {
    const int64_t low = tokens.min().item<int64_t>(), high = tokens.max().item<int64_t>();
    if (low < 0 || high >= codes) {
      throw Error("", fmt::format("token {} is outside the codebook (0..{})", low < 0 ? low : high,
                                  codes - 1));
    }
  }
  auto some = at_least_two(tokens.to(device_));
  auto vectors = network_->codes.index_select(0, some.reshape({-1}));
  auto images = network_->picture(rows_to_cells(vectors, some.size(0), height, width));
  return images.narrow(0, 0, tokens.size(0)).clamp(-1, 1).to(at::kCPU);
}

at::Tensor Codec::features(const at::Tensor& images) const {
  at::NoGradGuard no_grad;
  auto hidden = network_->encoder.hidden(at_least_two(images.to(device_)));
  return hidden.narrow(0, 0, images.size(0)).to(at::kCPU);
}

PrunedCodec keep_codes(const CodecNetwork& network, const at::Tensor& kept) {
  PrunedCodec pruned{network.config, named_tensors(network.parameters)};
  pruned.config.codes = kept.size(0);
  for (NamedTensor& t : pruned.tensors) {
    if (t.name == kCodes) t.tensor = t.tensor.detach().index_select(0, kept.to(t.tensor.device()));
  }
  return pruned;
}

}  // namespace vq
