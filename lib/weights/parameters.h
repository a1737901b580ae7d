// The weights of a network: tensors by name, in the order in which the network made them.
//
// A network is a struct of layers (weights/layers.h); its constructor asks a Parameters for every
// tensor by its full name ("blocks.3.attention.query.weight"). Everything that treats all weights
// alike, such as optimisers, averages, files and devices, goes through this list and knows no
// network.
//
// Trainable tensors take gradients; buffers (codebook statistics) do not, but are saved and moved
// too.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

namespace vq {

// What the tensors of a new network hold: values to start training from, nothing (they are about to
// be loaded), or not even memory (only names and shapes are asked for).
enum class Fill { initial, none, shapes };

class Parameters {
 public:
  struct Entry {
    std::string name;
    at::Tensor tensor;
    bool trainable;
  };

  // All initial values come from a generator of this seed, in the order of creation.
  explicit Parameters(uint64_t seed = 0, Fill fill = Fill::initial);

  // Normal with standard deviation `std` (0: zeros), float32 on the CPU. Throws on a repeated name.
  at::Tensor normal(const std::string& name, at::IntArrayRef shape, double std);
  at::Tensor uniform(const std::string& name, at::IntArrayRef shape, double bound);
  at::Tensor constant(const std::string& name, at::IntArrayRef shape, double value);
  at::Tensor buffer(const std::string& name, at::Tensor value);
  at::Tensor constant_buffer(const std::string& name, at::IntArrayRef shape, double value);

  const std::vector<Entry>& entries() const { return entries_; }
  at::Tensor get(const std::string& name) const;  // throws vq::Error when absent
  bool contains(const std::string& name) const;
  std::vector<at::Tensor> trainable() const;
  int64_t count() const;  // numbers in trainable tensors

  void zero_grad();
  void set_requires_grad(bool on);
  // In place: layers hold the same tensors, so they move with it.
  void to(at::Device device, at::ScalarType float_type);
  void to(at::Device device);

 private:
  at::Tensor add(const std::string& name, at::Tensor value, bool trainable);
  // A new tensor; `set` gives it its initial values.
  at::Tensor make(at::IntArrayRef shape, const std::function<void(at::Tensor&)>& set) const;
  uint64_t seed_;
  Fill fill_;
  std::vector<Entry> entries_;
  std::unordered_map<std::string, size_t> by_name_;
};

}  // namespace vq
