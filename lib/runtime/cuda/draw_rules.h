// What a RowDrawing asks for, in the numbers that its kernel takes (draw_row.h).
#pragma once

#include <algorithm>

#include "lib/runtime/cuda/draw_row.h"
#include "lib/runtime/cuda_plugin.h"

namespace vq {

inline DrawRules rules_of(const RowDrawing& rows) {
  const int64_t k = rows.conditioned.size(1);
  DrawRules rules;
  rules.tokens = static_cast<int32_t>(k);
  rules.temperature = static_cast<float>(rows.temperature);
  rules.top_p = rows.top_p;
  rules.top_k = static_cast<int32_t>(rows.top_k <= 0 ? k : std::min(rows.top_k, k));
  rules.posterior = rows.posterior;
  rules.alpha = rows.alpha;
  rules.beta = rows.beta;
  rules.alpha_bar_s = rows.alpha_bar_s;
  rules.beta_bar_s = rows.beta_bar_s;
  rules.alpha_bar_t = rows.alpha_bar_t;
  rules.beta_bar_t = rows.beta_bar_t;
  return rules;
}

}  // namespace vq
