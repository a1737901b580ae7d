// A diffusion model small enough to enumerate, with weights large enough that its guesses differ.
#pragma once

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <memory>
#include <string>

#include "lib/diffusion/model.h"

namespace vq::testing {

inline DiffusionModelConfig tiny_config(int height, int width, int codes, int timesteps,
                                        const std::string& schedule = "linear") {
  DiffusionModelConfig config;
  config.denoiser.layers = 2, config.denoiser.width = 32, config.denoiser.heads = 2;
  config.denoiser.grid_height = height, config.denoiser.grid_width = width;
  config.denoiser.codebook_size = codes, config.denoiser.timesteps = timesteps;
  config.schedule = schedule;
  config.codec = std::string(64, 'c');
  return config;
}

inline std::unique_ptr<DiffusionModel> tiny_model(
    DiffusionModelConfig config, uint64_t seed = 1,
    Tokenizer tokenizer = std::nullopt) {
  auto model = std::make_unique<DiffusionModel>(std::move(config), std::move(tokenizer), seed);
  const at::NoGradGuard no_grad;
  for (const Parameters::Entry& entry : model->parameters().entries()) {
    at::Tensor t = entry.tensor;
    if (t.dim() >= 2) t.mul_(8);  // 0.02 would leave every guess uniform
  }
  model->parameters().set_requires_grad(false);
  return model;
}

}  // namespace vq::testing
