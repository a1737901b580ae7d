#include "lib/codec/codec.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "formats/error.h"
#include "lib/codec/codebook.h"

namespace vq {
namespace {

bool begins_with(const std::string& name, const std::string& with) {
  return name.compare(0, with.size(), with) == 0;
}

// Kernels in the order of the maps, which are channels-last, and in the type that they run in. What
// the quantiser has is compared in fp32.
void lay_out(Parameters& parameters, CodecUse use, Precision precision) {
  const std::string other = use == CodecUse::decode ? "encoder." : "decoder.";
  for (const Parameters::Entry& entry : parameters.entries()) {
    at::Tensor weight = entry.tensor;
    if (use != CodecUse::both && begins_with(entry.name, other)) continue;
    if (entry.name.find(".upsample.") != std::string::npos) continue;  // prepare() has made others
    const bool rounded =
        precision != Precision::fp32 && weight.dim() > 1 && !begins_with(entry.name, "quantize.");
    const auto type = rounded ? at::kBFloat16 : weight.scalar_type();
    const auto order =
        weight.dim() == 4 ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
    if (weight.scalar_type() != type || !weight.is_contiguous(order))
      weight.set_data(weight.to(type, /*non_blocking=*/false, /*copy=*/true, order));
  }
}

}  // namespace

CodecNetwork::CodecNetwork(const CodecConfig& c, uint64_t seed, Fill fill)
    : config(c),
      parameters(seed, fill),
      encoder(parameters, c),
      quant_conv(parameters, "quant_conv", c.latent, c.code_width),
      decoder(parameters, c),
      post_quant_conv(parameters, "post_quant_conv", c.code_width, c.latent),
      codes(parameters.buffer(kCodebookName, at::zeros({c.codebook_rows(), c.code_width}))) {
  if (c.linear) linear.emplace(parameters, c.factor(), c.code_width);
  if (c.quantiser == "logits")
    scores.emplace(parameters, kScoresName, c.code_width, c.codebook_rows());
  if (c.full_codes > 0)
    token_of_code = parameters.buffer(kTokenOfCodeName, at::zeros({c.full_codes}, at::kLong));
}

at::Tensor token_vectors(const at::Tensor& codes, const at::Tensor& token_of_code, int64_t tokens,
                         const std::string& where) {
  if (!token_of_code.defined()) return codes;
  const at::NoGradGuard no_grad;
  const at::Tensor table = token_of_code.to(at::kCPU, at::kLong).contiguous();
  std::vector<int64_t> code_of(static_cast<size_t>(tokens), -1);
  for (int64_t code = table.numel() - 1; code >= 0; --code) {
    const int64_t token = table.data_ptr<int64_t>()[code];
    if (token < 0 || token >= tokens) {
      throw Error(where,
                  fmt::format("code {} becomes token {}, outside 0..{}", code, token, tokens - 1));
    }
    code_of[static_cast<size_t>(token)] = code;
  }
  for (size_t token = 0; token < code_of.size(); ++token) {
    if (code_of[token] < 0) throw Error(where, fmt::format("no code becomes token {}", token));
  }
  return codes.index_select(0, at::tensor(code_of).to(codes.device()));
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

Codec Codec::load(const std::string& path, CodecUse use, Precision precision) {
  const ModelFile file = open_model(path, "codec");
  const CodecConfig config = CodecConfig::from_json(file.config, path);
  auto network = std::make_unique<CodecNetwork>(config, 0, Fill::none);
  load_parameters(file, network->parameters, "", {}, Keep::map);
  return Codec(std::move(network), path, use, precision);
}

Codec::Codec(std::unique_ptr<CodecNetwork> network, const std::string& where, CodecUse use,
             Precision precision)
    : network_(std::move(network)), precision_(precision) {
  network_->parameters.set_requires_grad(false);
  vectors_ = token_vectors(network_->codes, network_->token_of_code, network_->config.codes, where);
  identity_ = codebook_identity(vectors_);
  device_ = network_->codes.device();
  // Sums of weights are rounded, not sums made of rounded ones.
  if (use != CodecUse::encode) network_->decoder.prepare(precision);
  lay_out(network_->parameters, use, precision);
}

void Codec::to(at::Device device) {
  network_->parameters.to(device);
  network_->decoder.to(device);
  vectors_ = vectors_.to(device);
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

int64_t Codec::pictures_at_once(int64_t height, int64_t width) const {
  constexpr int64_t kMost = int64_t{1} << 23;
  if (!device_.is_cpu()) return std::numeric_limits<int64_t>::max();
  const CodecConfig& c = config();
  int64_t largest = 1, cells = height / c.patch * (width / c.patch);
  for (int64_t l = 0; l < c.levels(); ++l) {
    // The next level's channels are there in this one's cells when they have been doubled.
    const int64_t channels = c.level_channels(std::min(l + 1, c.levels() - 1));
    largest = std::max(largest, cells * std::max(channels, c.level_channels(l)));
    cells /= 4;
  }
  return std::max<int64_t>(1, kMost / largest);
}

at::Tensor Codec::in_parts(const at::Tensor& maps, int64_t at_once, const Run& run) const {
  std::optional<AutocastScope> own;
  if (precision_ != Precision::fp32) own.emplace(device_, precision_);
  if (maps.size(0) <= at_once) return run(maps);
  std::vector<at::Tensor> parts;
  for (const at::Tensor& some : maps.split(at_once)) parts.push_back(run(some));
  return at::cat(parts);
}

at::Tensor Codec::latent(const at::Tensor& images) const {
  return in_parts(images.to(device_), pictures_at_once(images.size(2), images.size(3)),
                  [&](const at::Tensor& some) { return network_->latent(some); });
}

at::Tensor Codec::picture(const at::Tensor& vectors) const {
  const int64_t f = config().factor();
  return in_parts(vectors, pictures_at_once(vectors.size(2) * f, vectors.size(3) * f),
                  [&](const at::Tensor& some) { return network_->picture(some); });
}

at::Tensor Codec::encode(const at::Tensor& images) const {
  at::NoGradGuard no_grad;
  grid_side(images.size(2));
  grid_side(images.size(3));
  const auto z = latent(images).to(at::kFloat);
  const auto code = network_->scores ? cells_to_rows((*network_->scores)(z)).argmax(1)
                                     : nearest_code(cells_to_rows(z), network_->codes);
  return tokens_of_codes(code).view({z.size(0), -1}).to(at::kCPU);
}

at::Tensor Codec::tokens_of_codes(const at::Tensor& codes) const {
  const at::Tensor& table = network_->token_of_code;
  return table.defined() ? table.index_select(0, codes.reshape({-1})).view_as(codes) : codes;
}

at::Tensor Codec::log_scores(const at::Tensor& images) const {
  at::NoGradGuard no_grad;
  if (!network_->scores) {
    throw Error("", "this codec takes the nearest code and gives the others no probability");
  }
  const auto z = latent(images).to(at::kFloat);
  const auto scores = cells_to_rows((*network_->scores)(z));
  return scores.to(at::kCPU, at::kFloat).log_softmax(1);
}

at::Tensor Codec::encode_drawn(const at::Tensor& images, const at::Tensor& uniforms) const {
  const auto code = draw_code(log_scores(images), uniforms.reshape({-1}));
  return tokens_of_codes(code.to(device_)).view({images.size(0), -1}).to(at::kCPU);
}

at::Tensor Codec::decode(const at::Tensor& tokens, int64_t height, int64_t width) const {
  at::NoGradGuard no_grad;
  const int64_t codes = config().codes;
  if (tokens.numel() > 0) {
    const int64_t low = tokens.min().item<int64_t>(), high = tokens.max().item<int64_t>();
    if (low < 0 || high >= codes) {
      throw Error("", fmt::format("token {} is outside the codebook (0..{})", low < 0 ? low : high,
                                  codes - 1));
    }
  }
  auto vectors = vectors_.index_select(0, tokens.to(device_).reshape({-1}));
  auto images = picture(rows_to_cells(vectors, tokens.size(0), height, width));
  return images.to(at::kCPU, at::kFloat).clamp(-1, 1);
}

at::Tensor Codec::features(const at::Tensor& images) const {
  at::NoGradGuard no_grad;
  const int64_t at_once = pictures_at_once(images.size(2), images.size(3));
  return in_parts(images.to(device_), at_once,
                  [&](const at::Tensor& some) { return network_->encoder.hidden(some); })
      .to(at::kCPU);
}

PrunedCodec keep_codes(const CodecNetwork& network, const at::Tensor& kept) {
  PrunedCodec pruned{network.config, named_tensors(network.parameters)};
  pruned.config.codes = kept.size(0);
  for (NamedTensor& t : pruned.tensors) {
    if (t.name == kCodebookName)
      t.tensor = t.tensor.detach().index_select(0, kept.to(t.tensor.device()));
  }
  return pruned;
}

}  // namespace vq
