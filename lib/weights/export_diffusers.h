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

#include "lib/weights/export.h"

namespace vq {

// MODEL is a diffusion model, which needs its codec, or a codec, which needs no second file.
Export plan_export_diffusers(const std::string& model, const std::string& codec);

}  // namespace vq
