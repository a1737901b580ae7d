// Names of tensors in a VQ-Diffusion pipeline as Hugging Face diffusers saves it, for ours.
//
// One map a component of the pipeline's folder. The decoder's blocks are counted the other way
// round there, so the codec's map needs the number of levels.
#pragma once

#include "lib/weights/name_map.h"

namespace vq {

const NameMap& diffusers_denoiser_names();  // transformer/
const NameMap& diffusers_codec_names();     // vqvae/

// The attention blocks of older codec files say query, key, value and proj_attn where newer ones
// say to_q, to_k, to_v and to_out.0; this is the newer name of either.
std::string newer_attention_name(const std::string& name);

}  // namespace vq
