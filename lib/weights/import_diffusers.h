// A VQ-Diffusion pipeline as Hugging Face diffusers saves it -> our model and codec.
//
// Every component's config.json is read and every member that changes the arithmetic is checked: a
// network that ours is not is refused with the member's name. Weights are .safetensors or .bin,
// with either spelling of the codec's attention.
#pragma once

#include "lib/weights/import.h"

namespace vq {

// The weights in a component's folder, whichever of its names they have.
TensorSource open_weights(const std::string& folder);

Import plan_diffusers(const std::string& folder, const ImportOptions& options);

}  // namespace vq
