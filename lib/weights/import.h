// Other people's weights -> what our files will hold: the source is recognised by what is in it.
//
//   a folder with model_index.json       a VQ-Diffusion pipeline of Hugging Face diffusers
//   a folder with config.json, VQModel   its codec alone
//   a checkpoint with content_emb        microsoft/VQ-Diffusion: captions, classes or neither
//   a checkpoint with encoder, decoder   a codec of taming-transformers' family: VQGAN, Gumbel,
//                                        PatchVQGAN, the first stage inside a Net2Net file
//
// Checkpoints are PyTorch archives or safetensors files. Nothing is read but names, shapes and
// small tables until the plan is written (import_plan.h).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "formats/json.h"
#include "lib/weights/import_plan.h"

namespace vq {

struct ImportOptions {
  bool raw = false;  // a checkpoint's own weights, where it has their moving average too
  // What some files do not say; 0 and "" mean: as the file says, else as in the released models.
  int64_t heads = 0, text_heads = 0, groups = 0, image_size = 0;
  int64_t grid_height = 0, grid_width = 0;
  std::string null = "auto";              // auto, learned, mean, empty
  std::string vocabulary;                 // CLIP's merges: a file, or a tokenizer's folder
  std::string text_tower;                 // a CLIP text tower in a file of its own
  std::string code_subset;                // the table from codebook to token
  std::vector<std::string> classes;       // names; none: numbers
  Json suggested = Json::object();        // what vq-sample takes by default, before the peer's own
  std::vector<std::string> allow_unused;  // patterns of names
};

struct Import {
  std::string what;  // "a VQ-Diffusion pipeline of diffusers"
  std::optional<PlannedFile> model, codec;
  std::vector<std::string> notes;  // what a user should know
  std::vector<std::unique_ptr<SourcePool>> pools;

  SourcePool& add(TensorSource source, const std::string& label = "");
};

// Throws vq::Error: not recognised, incomplete, not supported, or tensors that nothing has a use
// for.
Import plan_import(const std::string& path, const ImportOptions& options);

}  // namespace vq
