// Noisy tokens, a timestep and a condition -> log p(x_0 | x_t): the transformer.
//
//   x_t       (B, L) int64, 0..K, K is [mask]; L = height * width, row by row
//   row       (B) int64, row of the timestep tables (Schedule::table_row)
//   features  of the condition (lib/condition): context (B, S, C) or label (B), or nothing
//   hidden    (B, L, D); head(rows of it) gives logits over the K tokens: [mask] is never predicted
//
// Position (r, c) gets a row and a column embedding. The head is its own function, so that a
// sampler asks it only for positions that change.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "formats/json.h"
#include "lib/condition/condition.h"
#include "lib/diffusion/block.h"
#include "lib/weights/layers.h"

namespace vq {

struct DenoiserConfig {
  int64_t layers = 4, width = 128, heads = 4, mlp_times = 4;
  int64_t grid_height = 8, grid_width = 8, codebook_size = 256, timesteps = 100;
  ConditionKind condition = ConditionKind::none;
  int64_t context_width = 0;  // caption
  int64_t label_rows = 0;     // label: classes + 1

  Json to_json() const;
  static DenoiserConfig from_json(const Json& json, const std::string& where);
};

class Denoiser {
 public:
  Denoiser(Parameters& parameters, const DenoiserConfig& config);
  const DenoiserConfig& config() const { return config_; }
  int64_t mask() const { return config_.codebook_size; }

  at::Tensor hidden(const at::Tensor& x_t, const at::Tensor& row, const Features& features) const;
  at::Tensor head(const at::Tensor& hidden_rows) const;  // (..., D) -> (..., K) logits

  // Its parts, for running it in another way (diffusion/engine).
  at::Tensor embedded(const at::Tensor& x_t) const;  // (B, L, D), what the first block is given
  const std::vector<Block>& blocks() const { return blocks_; }
  const LayerNorm& head_norm() const { return norm_; }
  const Linear& head_layer() const { return head_; }

 private:
  DenoiserConfig config_;
  Embedding token_, row_, column_;
  std::vector<Block> blocks_;
  LayerNorm norm_;
  Linear head_;
};

}  // namespace vq
