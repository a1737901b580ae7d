// vq-train: pictures in, a codec out; token grids in, a diffusion model out; labelled pictures in,
// a feature network out.

#include "lib/runtime/device.h"
#include "tools/cli/run.h"
#include "tools/train_codec.h"
#include "tools/train_diffusion.h"
#include "tools/train_features.h"

int main(int argc, char** argv) {
  const std::vector<vq::cli::Verb> verbs = {
      {"codec", &vq::train_codec_command, vq::train_codec},
      {"diffusion", &vq::train_diffusion_command, vq::train_diffusion},
      {"features", &vq::train_features_command, vq::train_features}};
  return vq::cli::run_verbs("vq-train",
                            "Train a codec, a diffusion model on its tokens, or a feature network.",
                            verbs, argc, argv, vq::describe_torch_exception);
}
