// Our model and codec -> files as microsoft/VQ-Diffusion and taming-transformers load them: the way
// back.
//
//   model.pth        {"last_epoch", "last_iter", "model"}: denoiser, text tower, schedule and codec
//   codec.pth        the codec alone, as its configuration there names it by path
//   code_subset.pt   the table from code to token, of a codec that uses a part of its codes
//   classes.txt      the classes' names, one a line, which the checkpoint does not hold
//   tokenizer/       CLIP's vocabulary, the same
//
// Numbers are copied as they are; what their modules hold and ours do not is made: the logarithms
// of the schedule, masks, counters of training at zero, CLIP's projection at zero (nothing there
// reads it). With them the names are those of the original's state_dict(), so that it loads
// strictly. A codec alone becomes codec.pth. What they have no network for (a text encoder trained
// here, a codec that folds pixels ...) is refused with what it is.
//
// Law: import_microsoft makes the same tensors of it, bit for bit, for the released schedule.
//                                                                (export_microsoft_test.cc)
#pragma once

#include <string>

#include "lib/weights/export.h"

namespace vq {

// MODEL is a diffusion model, which needs its codec, or a codec, which needs no second file.
Export plan_export_microsoft(const std::string& model, const std::string& codec);

}  // namespace vq
