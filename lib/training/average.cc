#include "lib/training/average.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "formats/error.h"

namespace vq {

Average::Average(const Parameters& parameters, double decay)
    : parameters_(parameters), decay_(decay) {
  for (const at::Tensor& tensor : parameters.trainable())
    average_.push_back(tensor.detach().clone());
}

void Average::update() {
  const at::NoGradGuard no_grad;
  const double n = static_cast<double>(steps_++);
  const double decay = std::min(decay_, (1 + n) / (10 + n));
  std::vector<at::Tensor> now = parameters_.trainable();
  at::_foreach_lerp_(average_, now, 1 - decay);
}

std::vector<NamedTensor> Average::tensors(const std::string& prefix) const {
  std::vector<NamedTensor> list;
  size_t next = 0;
  for (const Parameters::Entry& entry : parameters_.entries()) {
    list.push_back({prefix + entry.name, entry.trainable ? average_[next++] : entry.tensor});
  }
  return list;
}

void Average::load(const SafetensorsFile& file, const std::string& prefix) {
  const at::NoGradGuard no_grad;
  size_t next = 0;
  for (const Parameters::Entry& entry : parameters_.entries()) {
    if (!entry.trainable) continue;
    at::Tensor& to = average_[next++];
    const std::string name = prefix + entry.name;
    if (!file.contains(name)) throw Error(file.path(), "missing tensor " + name);
    const at::Tensor value = load_tensor(file, name);
    if (value.sizes() != to.sizes())
      throw Error(file.path(), "tensor " + name + " has another shape");
    to.copy_(value);
  }
}

void Average::swap() {
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> now = parameters_.trainable();
  for (size_t i = 0; i < now.size(); ++i) {
    const at::Tensor held = now[i].detach().clone();
    now[i].copy_(average_[i]);
    average_[i].copy_(held);
  }
}

}  // namespace vq
