// CLIP's text tower and tokenizer as other people store them -> the condition of a model.
//
// The tower is OpenAI's (inside a VQ-Diffusion checkpoint, or their TorchScript archive, whose
// picture side is left) or Hugging Face transformers' CLIPTextModel or CLIPModel. Names of ours:
// lib/condition/README.md.
#pragma once

#include <string>

#include "lib/condition/condition.h"
#include "lib/weights/import.h"
#include "lib/weights/name_map.h"

namespace vq {

// `prefix` stands before all names of the tower: "ema.condition_emb.", "text_model.", or nothing.
NameMap openai_text_names(const std::string& prefix);
NameMap transformers_text_names(const std::string& prefix);

struct TextTower {
  ClipTextConfig sizes;
  NameMap names;
  SourcePool* pool = nullptr;
};

// Sizes from the tensors; `heads` 0: one for each 64 of the width, as in all of OpenAI's.
TextTower openai_tower(SourcePool& pool, const std::string& prefix, int64_t heads);
// Sizes from config.json's text too, which says what tensors do not. Throws vq::Error where it asks
// for something else than the tower does.
TextTower transformers_tower(SourcePool& pool, const Json& config, const std::string& where);
// A file of its own, of either kind; what is not the tower's is left.
TextTower tower_in_file(Import& import, const std::string& path, int64_t heads);

}  // namespace vq
