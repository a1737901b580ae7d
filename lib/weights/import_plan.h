// What an import is going to write, tensor by tensor, before any number is read.
//
// Every tensor of ours is one of theirs, or several of theirs one below the other, or made from
// what their configuration says. Numbers are copied as they are, in the type they have, one tensor
// at a time: an import takes no more memory than the largest tensor.
//
// Law: every tensor of the source is used, or is left for a reason that is told, or is an error
// that names it; every tensor of ours is there, or is an error that names it. (import_plan_test.cc)
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "formats/bytes.h"
#include "formats/json.h"
#include "formats/tensor_source.h"
#include "lib/weights/parameters.h"

namespace vq {

// The tensors of one file, and which of them have found a use.
class SourcePool {
 public:
  // `label` stands before the names in messages: "transformer" of a folder's parts, or nothing.
  explicit SourcePool(TensorSource source, std::string label = "");
  SourcePool(const SourcePool&) = delete;  // plans point into it
  SourcePool& operator=(const SourcePool&) = delete;

  const std::string& path() const { return source_.path; }
  const Json& values() const { return source_.values; }
  // From now on tensors are asked for by new names; what is shown is still the file's.
  void rename(const std::function<std::string(const std::string&)>& name);

  bool has(const std::string& name) const { return by_name_.contains(name); }
  bool has_prefix(const std::string& prefix) const;
  // Throws vq::Error when absent. look() is for its shape; take() also counts it as used.
  const SourceTensor& look(const std::string& name) const;
  const SourceTensor& take(const std::string& name);
  // Side `side` of a tensor's shape; throws when it has fewer.
  int64_t size(const std::string& name, size_t side) const;

  // Tensors that nothing has taken and whose name fits the pattern (*, ? and [] as in a shell, *
  // for dots too) are left, for this reason. Returns how many.
  size_t leave(const std::string& pattern, const std::string& reason);
  struct Left {
    std::string reason;
    std::vector<std::string> names;
  };
  const std::vector<Left>& left() const { return left_; }
  std::vector<std::string> unused() const;  // neither taken nor left, label first

 private:
  enum class State { fresh, taken, left };
  size_t index_of(const std::string& name) const;

  TensorSource source_;
  std::string label_;
  std::vector<std::string> names_;
  std::unordered_map<std::string, size_t> by_name_;
  std::vector<State> state_;
  std::vector<Left> left_;
};

struct PlannedTensor {
  TensorLayout layout;
  std::vector<const SourceTensor*> parts;  // one below the other; none: `made`
  Bytes made;
};

struct PlannedFile {
  std::string kind;  // "diffusion" or "codec"
  Json config;
  std::vector<PlannedTensor> tensors;

  uint64_t bytes() const;
  void add(const std::string& name, DType dtype, std::vector<int64_t> shape, Bytes made);
};

// Adds every tensor of the network whose name begins with `prefix` and for which `theirs` has
// names. Returns the names that `theirs` gave nothing for. Throws vq::Error naming tensors that are
// missing or do not fit.
using TheirNames = std::function<std::vector<std::string>(const std::string& ours)>;
std::vector<std::string> plan_parameters(PlannedFile& file, const Parameters& network,
                                         const TheirNames& theirs, SourcePool& pool);

// One line for all tensors that differ only in numbers, weights and biases ("blocks.#.self.qkv").
struct PlanRow {
  std::string theirs, ours;
  size_t count = 0;
  std::string what;  // "214106112 numbers"
};
std::vector<PlanRow> plan_rows(const PlannedFile& file);

// Writes the tensors: PATH.part, renamed when it is whole. `told` hears how many bytes are written.
void write_tensors(const PlannedFile& file, const std::string& path,
                   const std::map<std::string, std::string>& metadata, bool force,
                   const std::function<void(uint64_t)>& told = {});
// The same as one of our files, which say what they are.
void write_planned(const PlannedFile& file, const std::string& path, const Json& history,
                   bool force, const std::function<void(uint64_t)>& told = {});

// The numbers of a source tensor as float32 on the CPU, and of a planned one.
at::Tensor float_tensor(const SourceTensor& tensor);
at::Tensor planned_tensor(const PlannedFile& file, const std::string& name);

}  // namespace vq
