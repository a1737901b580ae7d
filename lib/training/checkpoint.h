// Everything needed to go on bit-exactly: weights, optimiser, average, step, and what the run was
// asked to do.
//
// One safetensors file "MODEL.state" beside the model. There is no generator state in it: all
// randomness of a run is a function of (seed, step). The options of the run are kept, and a run
// that goes on with others that would change the result is refused, naming them.
#pragma once

#include <string>
#include <vector>

#include "formats/json.h"
#include "lib/training/average.h"
#include "lib/training/optimiser.h"
#include "lib/weights/model_file.h"
#include "lib/weights/parameters.h"

namespace vq {

struct Checkpoint {
  std::string kind;  // "codec" or "diffusion"
  Json config;       // of the network
  Json options;      // of the run
  int64_t step = 0;
  double seconds = 0;          // training time so far
  Json more = Json::object();  // small things of the trainer
};

void save_checkpoint(const std::string& path, const Checkpoint& checkpoint,
                     const Parameters& parameters, const Optimiser& optimiser,
                     const Average& average, const std::vector<NamedTensor>& more = {});

// Reads the facts first (to build the network), then fills the network.
struct CheckpointFile {
  Checkpoint checkpoint;
  ModelFile file;
};
CheckpointFile open_checkpoint(const std::string& path);
void load_checkpoint(const CheckpointFile& from, Parameters& parameters, Optimiser& optimiser,
                     Average& average);

// Throws naming the members of `now` that differ from `then`, but for those in `may_change`.
void check_same_options(const Json& then, const Json& now,
                        const std::vector<std::string>& may_change, const std::string& where);

}  // namespace vq
