// Our model and codec -> a VQ-Diffusion pipeline's folder as Hugging Face diffusers reads it: the
// way back.
//
//   model_index.json
//   transformer/ vqvae/ text_encoder/ learned_classifier_free_sampling_embeddings/   config and
//   weights scheduler/ tokenizer/
//
// Numbers are copied as they are, so that a pipeline that was imported comes back with the bytes it
// had. A codec alone becomes the folder of a VQModel. What diffusers has no network for (classes,
// convolutions, a codec that folds pixels ...) is refused with what it is.
// (export_diffusers_test.cc)
#pragma once

#include <string>
#include <vector>

#include "formats/bytes.h"
#include "lib/weights/import_plan.h"

namespace vq {

struct ExportedFile {
  std::string path;  // inside the folder
  PlannedFile weights;
  Bytes content;  // of files that hold no weights
};

struct Export {
  std::vector<std::unique_ptr<SourcePool>> pools;
  std::deque<SourceTensor> pieces;  // of ours, where one of ours is several of theirs
  std::vector<ExportedFile> files;
  std::vector<std::string> notes;
};

// MODEL is a diffusion model, which needs its codec, or a codec, which needs no second file.
Export plan_export_diffusers(const std::string& model, const std::string& codec);

// Makes the folder and writes the files. An existing file needs `force`.
void write_export(const Export& plan, const std::string& folder, bool force,
                  const std::function<void(uint64_t)>& told = {});

}  // namespace vq
