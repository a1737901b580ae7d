// A caption condition of CLIP's kind, small, with weights large enough that captions differ.
#pragma once

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/grad_mode.h>

#include "lib/condition/condition.h"

namespace vq::testing {

inline ClipTokenizer tiny_clip_tokenizer(ClipTokenizerOptions options = {}) {
  return ClipTokenizer::parse("c a\nca t</w>\nd o\ndo g</w>\nr e\nre d</w>\n", "merges", options);
}

inline ConditionConfig tiny_clip_condition(NullKind null = NullKind::learned) {
  ConditionConfig config;
  config.kind = ConditionKind::caption;
  config.text_kind = TextKind::clip;
  config.clip = {.layers = 2, .width = 16, .heads = 2, .inner = 24, .vocabulary = 520, .length = 7};
  config.null_kind = null;
  return config;
}

// A fresh tower is blank.
inline void fill_tower(Parameters& parameters, double std = 0.4) {
  const at::NoGradGuard no_grad;
  uint64_t seed = 1;
  for (const Parameters::Entry& entry : parameters.entries()) {
    if (entry.trainable) continue;
    at::Tensor t = entry.tensor;
    t.add_(at::empty_like(t).normal_(0, std, at::make_generator<at::CPUGeneratorImpl>(seed++)));
  }
}

}  // namespace vq::testing
