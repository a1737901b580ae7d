// Named tensors of somebody else's file, whichever kind it is: safetensors or a PyTorch archive.
//
// Opening reads names and shapes and no numbers; a tensor is read when it is asked for, alone.
// Errors of either kind of file are vq::Error; a file that is neither is named for what it is.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "formats/json.h"
#include "formats/safetensors.h"

namespace vq {

struct SourceTensor {
  std::string name;  // as the file has it
  DType dtype = DType::f32;
  std::vector<int64_t> shape;
  // Gives the numbers row by row, in one piece. They live until the call returns.
  std::function<void(const std::function<void(std::span<const uint8_t>)>&)> read;

  uint64_t count() const;
  uint64_t bytes() const { return count() * dtype_size(dtype); }
};

struct TensorSource {
  std::string path;
  std::vector<SourceTensor> tensors;  // in the order of the file
  // What a PyTorch archive holds besides tensors; the metadata of a safetensors file.
  Json values;

  static TensorSource open(const std::string& path);
};

}  // namespace vq
