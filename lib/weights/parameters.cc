#include "lib/weights/parameters.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/grad_mode.h>

#include "formats/error.h"
#include "lib/random.h"

namespace vq {

Parameters::Parameters(uint64_t seed, Fill fill) : seed_(seed), fill_(fill) {}

at::Tensor Parameters::add(const std::string& name, at::Tensor value, bool trainable) {
  if (!by_name_.emplace(name, entries_.size()).second) {
    throw Error(name, "two tensors of this name in one network");
  }
  if (trainable) value.set_requires_grad(true);
  entries_.push_back({name, value, trainable});
  return value;
}

at::Tensor Parameters::make(at::IntArrayRef shape,
                            const std::function<void(at::Tensor&)>& set) const {
  if (fill_ == Fill::shapes)
    return at::empty(shape, at::TensorOptions(at::kFloat).device(at::kMeta));
  at::Tensor value = at::empty(shape, at::kFloat);
  if (fill_ == Fill::initial) set(value);
  return value;
}

// Each tensor has a generator of its own, seeded by its name: a network with one layer more starts
// with the same values in all the others.
static at::Generator generator_for(uint64_t seed, const std::string& name) {
  return at::make_generator<at::CPUGeneratorImpl>(derive_seed(seed, name.c_str()));
}

at::Tensor Parameters::normal(const std::string& name, at::IntArrayRef shape, double std) {
  const auto set = [&](at::Tensor& value) {
    std > 0 ? value.normal_(0, std, generator_for(seed_, name)) : value.zero_();
  };
  return add(name, make(shape, set), true);
}

at::Tensor Parameters::uniform(const std::string& name, at::IntArrayRef shape, double bound) {
  const auto set = [&](at::Tensor& value) {
    value.uniform_(-bound, bound, generator_for(seed_, name));
  };
  return add(name, make(shape, set), true);
}

at::Tensor Parameters::constant(const std::string& name, at::IntArrayRef shape, double value) {
  return add(name, make(shape, [&](at::Tensor& tensor) { tensor.fill_(value); }), true);
}

at::Tensor Parameters::constant_buffer(const std::string& name, at::IntArrayRef shape,
                                       double value) {
  return add(name, make(shape, [&](at::Tensor& tensor) { tensor.fill_(value); }), false);
}

at::Tensor Parameters::buffer(const std::string& name, at::Tensor value) {
  return add(name, value, false);
}

at::Tensor Parameters::get(const std::string& name) const {
  const auto found = by_name_.find(name);
  if (found == by_name_.end()) throw Error(name, "the network has no tensor of this name");
  return entries_[found->second].tensor;
}

bool Parameters::contains(const std::string& name) const { return by_name_.count(name) != 0; }

std::vector<at::Tensor> Parameters::trainable() const {
  std::vector<at::Tensor> tensors;
  for (const Entry& entry : entries_) {
    if (entry.trainable) tensors.push_back(entry.tensor);
  }
  return tensors;
}

int64_t Parameters::count() const {
  int64_t count = 0;
  for (const Entry& entry : entries_) count += entry.trainable ? entry.tensor.numel() : 0;
  return count;
}

void Parameters::zero_grad() {
  for (Entry& entry : entries_) entry.tensor.mutable_grad() = at::Tensor();
}

void Parameters::set_requires_grad(bool on) {
  for (Entry& entry : entries_) {
    if (entry.trainable) entry.tensor.set_requires_grad(on);
  }
}

void Parameters::to(at::Device device, at::ScalarType float_type) {
  const at::NoGradGuard no_grad;
  for (Entry& entry : entries_) {
    const bool is_float = at::isFloatingType(entry.tensor.scalar_type());
    const at::ScalarType type = is_float ? float_type : entry.tensor.scalar_type();
    entry.tensor.set_data(entry.tensor.to(device, type));
  }
}

void Parameters::to(at::Device device) {
  const at::NoGradGuard no_grad;
  for (Entry& entry : entries_) entry.tensor.set_data(entry.tensor.to(device));
}

}  // namespace vq
