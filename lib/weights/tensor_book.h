// The tensors of somebody's file by name, whatever kind of file: safetensors, a PyTorch checkpoint
// or TorchScript.
//
// Law: a tensor is read when it is asked for, as float32; names that nobody asked for are known, so
// nothing needs to load loosely.                                             (tensor_book_test.cc)
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <set>
#include <string>
#include <vector>

namespace vq {

class TensorBook {
 public:
  explicit TensorBook(const std::string& path);  // throws vq::Error

  const std::string& path() const { return path_; }
  const std::vector<std::string>& names() const { return names_; }
  bool contains(const std::string& name) const { return known_.count(name) != 0; }
  // Throws vq::Error: absent, no floating point, or, with a shape, of another one.
  at::Tensor take(const std::string& name);
  at::Tensor take(const std::string& name, at::IntArrayRef shape);
  // Names that were not taken.
  const std::set<std::string>& left() const { return left_; }

 private:
  std::string path_;
  std::vector<std::string> names_;
  std::set<std::string> known_, left_;
  std::function<at::Tensor(const std::string&)> read_;
};

}  // namespace vq
