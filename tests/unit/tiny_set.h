// Token sets for tiny models, made in memory.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

#include "lib/diffusion/model.h"
#include "lib/random.h"
#include "lib/training/token_set.h"

namespace vq::testing {

// The grids, one after the other, `times` over.
inline TokenSet set_of(const DiffusionModel& model, const std::vector<std::vector<int16_t>>& grids,
                       int times = 1) {
  TokenSet set;
  set.header = model.grid_header();
  std::vector<int16_t> all;
  for (int i = 0; i < times; ++i) {
    for (const auto& grid : grids) all.insert(all.end(), grid.begin(), grid.end());
  }
  set.tokens = at::tensor(all, at::kShort).view({-1, set.header.length()});
  return set;
}

// Every token drawn by itself, token j with a chance that grows with j.
inline TokenSet random_set(const DiffusionModel& model, int64_t records, uint64_t seed) {
  TokenSet set;
  set.header = model.grid_header();
  std::vector<uint64_t> numbers;
  for (int64_t i = 0; i < records; ++i) numbers.push_back(static_cast<uint64_t>(i));
  const at::Tensor u = uniform_grid(seed, Purpose::augment, numbers, 0, set.header.length()).first;
  set.tokens = (u.sqrt() * set.header.codebook_size).to(at::kShort);
  return set;
}

}  // namespace vq::testing
