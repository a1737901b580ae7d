// Our files -> a folder of a peer's: what exports have in common.
//
// An export is a plan as an import is (import_plan.h): which of our tensors become which of theirs,
// one tensor at a time, numbers as they are. What a peer has and we do not (masks, configurations)
// is made from ours.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "formats/bytes.h"
#include "lib/weights/import_plan.h"

namespace vq {

// A PyTorch archive instead of safetensors: the dict that its tensors are in ("": they are members
// of the root, and a tensor without a name is the whole file), and what is beside that dict.
struct ExportedArchive {
  std::string group;
  Json values = Json::object();
};

struct ExportedFile {
  std::string path;  // inside the folder
  PlannedFile weights;
  Bytes content = {};  // of files that hold no weights
  std::optional<ExportedArchive> torch = std::nullopt;
};

struct Export {
  std::vector<std::unique_ptr<SourcePool>> pools;
  std::deque<SourceTensor> pieces;  // of ours, where one of ours is several of theirs
  std::vector<ExportedFile> files;
  std::vector<std::string> notes;
};

// The shape that the peer gives a tensor; sides of one may come and go.
using TheirShape =
    std::function<std::vector<int64_t>(const std::string& theirs, std::vector<int64_t> ours)>;

// All tensors of the pool that `theirs` has names for, sorted by their names. One of ours that has
// several names is cut into as many pieces, equal numbers of rows.
PlannedFile component(Export& plan, SourcePool& pool, const TheirNames& theirs,
                      const TheirShape& shape = {});

// A tensor of 64-bit numbers, read.
std::vector<double> doubles_of(SourcePool& pool, const std::string& name);

void add_json(Export& plan, const std::string& path, const Json& json);

// tokenizer/: CLIP's vocabulary as Hugging Face's tokenizers read it.
void add_tokenizer(Export& plan, std::string_view merges, int64_t length);

// Makes the folder and writes the files. An existing file needs `force`.
void write_export(const Export& plan, const std::string& folder, bool force,
                  const std::function<void(uint64_t)>& told = {});

}  // namespace vq
