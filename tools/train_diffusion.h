// The half of vq-train that turns token grids into a diffusion model.
#pragma once

#include "tools/cli/options.h"
#include "tools/cli/run.h"

namespace vq {

extern const cli::Command train_diffusion_command;
int train_diffusion(const cli::Context& context);

}  // namespace vq
