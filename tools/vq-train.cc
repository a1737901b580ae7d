// vq-train: pictures in, a codec out; or token grids in, a diffusion model out.

#include "lib/runtime/device.h"
#include "tools/cli/run.h"
#include "tools/train_codec.h"
#include "tools/train_diffusion.h"

int main(int argc, char** argv) {
  const std::vector<vq::cli::Verb> verbs = {
      {"codec", &vq::train_codec_command, vq::train_codec},
      {"diffusion", &vq::train_diffusion_command, vq::train_diffusion}};
  return vq::cli::run_verbs("vq-train",
                            "Train a codec on pictures, or a diffusion model on token grids.",
                            verbs, argc, argv, vq::describe_torch_exception);
}
