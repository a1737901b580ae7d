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
//
// Where the bytes end up: in memory of the network's own, or, for tensors that lie in the file as
// the network has them, where they are in the map: then nothing is read before it is used.
enum class Keep { copy, map };
void load_parameters(const ModelFile& file, Parameters& parameters, const std::string& prefix = "",
                     const std::vector<std::string>& besides = {}, Keep keep = Keep::copy);

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

// Identity of a model: sha256 of its tensors' names and bytes in the order of the file; independent
// of metadata. Of tensors of 256 MiB and more together, sixteen pages of 4 KiB each, evenly spread:
// reading gigabytes would take longer than the first picture. The file's pages are given back, so
// only while nothing was written to its tensors.
std::string model_identity(const SafetensorsFile& file);

}  // namespace vq
