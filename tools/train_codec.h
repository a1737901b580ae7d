// The half of vq-train that turns pictures into a codec.
#pragma once

#include "tools/cli/options.h"
#include "tools/cli/run.h"

namespace vq {

extern const cli::Command train_codec_command;
int train_codec(const cli::Context& context);

}  // namespace vq
