#include "lib/diffusion/denoiser.h"

#include <ATen/ATen.h>

#include "formats/error.h"

namespace vq {

namespace {

bool read_word(const Json& json, const char* member, const std::string& no, const std::string& yes,
               const std::string& where) {
  const std::string word = json.value(member, no);
  if (word != no && word != yes)
    throw Error(where, std::string("the denoiser has an unknown ") + member + " '" + word + "'");
  return word == yes;
}

}  // namespace

Json DenoiserConfig::to_json() const {
  Json json = {{"layers", layers},
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
  if (convolutions) json["mlp"] = "convolution";
  if (mean_null) json["label_null"] = "mean";
  if (position_height > 0) json["position_height"] = position_height;
  if (position_width > 0) json["position_width"] = position_width;
  return json;
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
    c.convolutions = read_word(json, "mlp", "linear", "convolution", where);
    c.mean_null = read_word(json, "label_null", "learned", "mean", where);
    c.position_height = json.value("position_height", int64_t{0});
    c.position_width = json.value("position_width", int64_t{0});
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
  const int64_t rows = c.position_height > 0 ? c.position_height : c.grid_height;
  const int64_t columns = c.position_width > 0 ? c.position_width : c.grid_width;
  if (rows * columns < c.grid_height * c.grid_width) {
    throw Error("", "the position tables have room for " + std::to_string(rows * columns) +
                        " places, the grid has " + std::to_string(c.grid_height * c.grid_width));
  }
  row_ = Embedding(p, "embedding.row", rows, c.width);
  column_ = Embedding(p, "embedding.column", columns, c.width);
  BlockSizes sizes{c.width,     c.heads,         c.mlp_times, c.timesteps,
                   c.condition, c.context_width, c.label_rows};
  sizes.mean_label = c.mean_null;
  if (c.mean_null) sizes.label_rows -= 1;
  sizes.convolutions = c.convolutions;
  sizes.grid_height = c.grid_height, sizes.grid_width = c.grid_width;
  for (int64_t i = 0; i < c.layers; ++i)
    blocks_.emplace_back(p, "blocks." + std::to_string(i), sizes);
  norm_ = LayerNorm(p, "head.norm", c.width);
  head_ = Linear(p, "head.linear", c.width, c.codebook_size);
}

at::Tensor Denoiser::embedded(const at::Tensor& x_t) const {
  const at::Tensor position =
      (row_.weight.unsqueeze(1) + column_.weight.unsqueeze(0)).flatten(0, 1);
  return token_(x_t) + position.narrow(0, 0, config_.grid_height * config_.grid_width);
}

at::Tensor Denoiser::hidden(const at::Tensor& x_t, const at::Tensor& row,
                            const Features& features) const {
  at::Tensor x = embedded(x_t);
  for (const Block& block : blocks_) x = block(x, row, features.context, features.label);
  return x;
}

at::Tensor Denoiser::head(const at::Tensor& hidden_rows) const { return head_(norm_(hidden_rows)); }

}  // namespace vq
