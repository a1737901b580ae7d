// CLIP's text tower and tokenizer as other people store them -> the condition of a model.
//
// The tower is OpenAI's (inside a VQ-Diffusion checkpoint, or their TorchScript archive, whose
// picture side is left) or Hugging Face transformers' CLIPTextModel or CLIPModel, a file or a
// folder. Names of ours: lib/condition/README.md.
//
// OpenAI's computes in half precision, as in the checkpoints it comes from; transformers' in
// single.                                                                     (import_text_test.cc)
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
// Sizes from the tensors, and from the configuration what those do not say; null where there is
// none: then heads as above. Throws vq::Error where it asks for another tower than ours.
TextTower transformers_tower(SourcePool& pool, const Json& config, const std::string& where,
                             int64_t heads = 0);
// A file of its own, of either kind, or a folder of transformers; what is not the tower's is left.
// A config.json beside the weights is read. Throws vq::Error where `heads` contradicts it.
TextTower tower_in_file(Import& import, const std::string& path, int64_t heads);

}  // namespace vq
