// The part of vq-train that turns labelled pictures into a feature network.
#pragma once

#include "tools/cli/options.h"
#include "tools/cli/run.h"

namespace vq {

extern const cli::Command train_features_command;
int train_features(const cli::Context& context);

}  // namespace vq
