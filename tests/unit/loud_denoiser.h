#pragma once

#include <ATen/ATen.h>

#include <optional>

#include "lib/diffusion/denoiser.h"

namespace vq::testing {

// A denoiser whose every part matters: weights large enough that each layer, the condition and the
// time change the answer by more than rounding does.
struct Net {
  Parameters p{1};
  DenoiserConfig config;
  std::optional<Denoiser> denoiser;
  explicit Net(ConditionKind kind, int64_t layers = 3, bool convolutions = false) {
    config.layers = layers, config.width = 48, config.heads = 3;
    config.grid_height = 4, config.grid_width = 5;
    config.codebook_size = 30, config.timesteps = 10, config.condition = kind;
    config.context_width = kind == ConditionKind::caption ? 24 : 0;
    config.label_rows = kind == ConditionKind::label ? 5 : 0;
    config.convolutions = convolutions;
    denoiser.emplace(p, config);
    p.set_requires_grad(false);
    at::manual_seed(1);
    for (const Parameters::Entry& entry : p.entries())
      entry.tensor.add_(at::randn_like(entry.tensor), entry.tensor.dim() == 4 ? 0.05 : 0.15);
  }
  Features features(int64_t rows) const {
    Features f;
    if (config.condition == ConditionKind::caption) f.context = at::randn({rows, 7, 24});
    if (config.condition == ConditionKind::label) f.label = at::arange(rows).remainder(5);
    return f;
  }
};

}  // namespace vq::testing
