#include "lib/diffusion/denoiser.h"

#include <ATen/ATen.h>

#include "formats/error.h"

namespace vq {

Json DenoiserConfig::to_json() const {
  return {{"layers", layers},
          {"width", width},
          {"heads", heads},
          {"mlp_times", mlp_times},
          {"grid_height", grid_height},
          {"grid_width", grid_width},
          {"codebook_size", codebook_size},
          {"timesteps", timesteps},
          {"condition", condition_word(condition)},
          {"context_width", context_width},
          {"label_rows", label_rows}};
}

DenoiserConfig DenoiserConfig::from_json(const Json& json, const std::string& where) {
  DenoiserConfig c;
  try {
    c.layers = json.at("layers"), c.width = json.at("width"), c.heads = json.at("heads");
    c.mlp_times = json.at("mlp_times");
    c.grid_height = json.at("grid_height"), c.grid_width = json.at("grid_width");
    c.codebook_size = json.at("codebook_size"), c.timesteps = json.at("timesteps");
    c.context_width = json.at("context_width"), c.label_rows = json.at("label_rows");
    c.condition = parse_condition(json.at("condition"), where);
  } catch (const Json::exception& e) {
    throw Error(where, std::string("the description of the denoiser is not complete: ") + e.what());
  }
  return c;
}

Denoiser::Denoiser(Parameters& p, const DenoiserConfig& c) : config_(c) {
  if (c.heads < 1 || c.width % c.heads != 0) {
    throw Error::usage("--heads", "the width " + std::to_string(c.width) +
                                      " is not a multiple of " + std::to_string(c.heads) +
                                      " heads");
  }
  token_ = Embedding(p, "embedding.token", c.codebook_size + 1, c.width);
  row_ = Embedding(p, "embedding.row", c.grid_height, c.width);
  column_ = Embedding(p, "embedding.column", c.grid_width, c.width);
  const BlockSizes sizes{c.width,     c.heads,         c.mlp_times, c.timesteps,
                         c.condition, c.context_width, c.label_rows};
  for (int64_t i = 0; i < c.layers; ++i)
    blocks_.emplace_back(p, "blocks." + std::to_string(i), sizes);
  norm_ = LayerNorm(p, "head.norm", c.width);
  head_ = Linear(p, "head.linear", c.width, c.codebook_size);
}

at::Tensor Denoiser::embedded(const at::Tensor& x_t) const {
  const at::Tensor position =
      (row_.weight.unsqueeze(1) + column_.weight.unsqueeze(0)).flatten(0, 1);
  return token_(x_t) + position;
}

at::Tensor Denoiser::hidden(const at::Tensor& x_t, const at::Tensor& row,
                            const Features& features) const {
  at::Tensor x = embedded(x_t);
  for (const Block& block : blocks_) x = block(x, row, features.context, features.label);
  return x;
}

at::Tensor Denoiser::head(const at::Tensor& hidden_rows) const { return head_(norm_(hidden_rows)); }

}  // namespace vq
