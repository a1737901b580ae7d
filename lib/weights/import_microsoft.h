// Checkpoints of microsoft/VQ-Diffusion -> our models.
//
// A main file holds "model" (denoiser, text tower, codec, schedule) and usually "ema", the moving
// average of all but the codec, which is what its authors sample with. What it listens to follows
// from the tensors: two attentions a block are captions, a table in ln2 is a class. What does not
// follow: heads (16), the grid of models without captions (16 x 16), whether the last row of a
// class table is a learned null (it is, unless there are ImageNet's 1000), and CLIP's vocabulary.
#pragma once

#include "lib/weights/import.h"

namespace vq {

bool is_microsoft_checkpoint(const SourcePool& pool);
void plan_microsoft(Import& import, const ImportOptions& options);  // of its first pool

}  // namespace vq
