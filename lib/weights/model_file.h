// Our model files: safetensors whose metadata say what the network is.
//
// Metadata (strings): "vq.kind" ("codec", "diffusion", "training-state", ...), "vq.config" (JSON:
// everything needed to build the network), "vq.history" (JSON array like a token grid's). Tensors
// carry the network's own names.
//
// Law: loading uses every tensor of the file and fills every tensor of the network, or names the
// ones it did not.                                                             (model_file_test.cc)
#pragma once

#include <string>
#include <vector>

#include "formats/json.h"
#include "formats/safetensors.h"
#include "lib/weights/parameters.h"

namespace vq {

struct ModelFile {
  std::string path;
  std::string kind;
  Json config, history;
  SafetensorsFile tensors;
};

// Throws vq::Error: not safetensors, no "vq.kind", another kind than wanted (with what it is, and a
// hint).
ModelFile open_model(const std::string& path, const std::string& kind);

// Copies the file's tensors into the network's, converting the float type. `prefix` selects names
// "prefix..." of the file; the rest of the file is then not counted as unused, nor are the names in
// `besides`, which the caller reads itself. Throws naming missing, unused and misshapen tensors.
void load_parameters(const ModelFile& file, Parameters& parameters, const std::string& prefix = "",
                     const std::vector<std::string>& besides = {});

// Tensors are made contiguous on the CPU first. Extra tensors (a vocabulary, a schedule) come after
// the parameters.
struct NamedTensor {
  std::string name;
  at::Tensor tensor;
};
void save_model(const std::string& path, const std::string& kind, const Json& config,
                const Json& history, const std::vector<NamedTensor>& tensors, bool force);
std::vector<NamedTensor> named_tensors(const Parameters& parameters,
                                       const std::string& prefix = "");

// The tensor types of files as LibTorch knows them.
at::ScalarType scalar_type_of(DType dtype);

// One tensor of the file as a copy that owns its memory.
at::Tensor load_tensor(const SafetensorsFile& file, const std::string& name);

// Identity of a model: sha256 of its tensors' bytes in the order of the file; independent of
// metadata.
std::string model_identity(const SafetensorsFile& file);

}  // namespace vq
