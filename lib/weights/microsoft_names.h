// Names of tensors in the checkpoints of microsoft/VQ-Diffusion and of taming-transformers, for
// ours.
//
// The denoiser's are those inside the diffusion module: "ema." or "model.transformer." stands
// before them in a checkpoint. The codec's are those of a taming file; in a main checkpoint its two
// halves lie apart (content_codec.enc, content_codec.dec).
#pragma once

#include "lib/condition/condition.h"
#include "lib/weights/name_map.h"

namespace vq {

NameMap microsoft_denoiser_names(ConditionKind kind, bool convolutions);
const NameMap& taming_codec_names();

// "encoder.conv_in.weight" -> "enc.encoder.conv_in.weight": where a main checkpoint has it, under
// "model.content_codec.".
std::string name_in_content_codec(const std::string& taming_name);

}  // namespace vq
