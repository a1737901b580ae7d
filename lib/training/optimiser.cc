#include "lib/training/optimiser.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>

#include "formats/error.h"

namespace vq {
namespace {

constexpr double kMuonMomentum = 0.95;
constexpr int kNewtonSchulzSteps = 5;

// The text encoder is left to AdamW. Equal steps for every direction of its few, small matrices
// saturate its attention before the order of words is learned: at a constant rate (tiny, 2,500
// steps of 64, captions of two objects) 39 % of pictures obeyed their caption, by AdamW 99 %.
bool is_muon_matrix(const Parameters::Entry& entry) {
  const std::string& name = entry.name;
  const auto has = [&](const char* part) { return name.find(part) != std::string::npos; };
  return entry.tensor.dim() == 2 && name.ends_with(".weight") && !has("embedding") &&
         !has("norm") && !has("head") && !name.starts_with("condition.");
}

// (n, r, c) -> the nearest matrices with orthonormal rows (or columns), roughly: singular values
// end between 0.7 and 1.2. The quintic's coefficients are those published with Muon (Jordan et al.
// 2024).
at::Tensor orthogonalise(at::Tensor x, at::ScalarType type) {
  constexpr double a = 3.4445, b = -4.7750, c = 2.0315;
  const bool tall = x.size(1) > x.size(2);
  if (tall) x = x.transpose(1, 2);
  x = (x / (x.flatten(1).norm(2, 1).view({-1, 1, 1}) + 1e-7)).to(type);
  for (int i = 0; i < kNewtonSchulzSteps; ++i) {
    const at::Tensor gram = x.bmm(x.transpose(1, 2));
    const at::Tensor mix = at::baddbmm(gram, gram, gram, b, c);
    x = at::baddbmm(x, mix, x, a, 1);
  }
  return tall ? x.transpose(1, 2) : x;
}

at::Tensor restored(const SafetensorsFile& file, const std::string& name, const at::Tensor& like) {
  if (!file.contains(name)) throw Error(file.path(), "missing tensor " + name);
  at::Tensor value = load_tensor(file, name);
  if (value.sizes() != like.sizes())
    throw Error(file.path(), "tensor " + name + " has another shape");
  return value.to(like.device());
}

}  // namespace

Optimiser::Optimiser(Parameters& parameters, const OptimiserOptions& options)
    : parameters_(parameters), options_(options) {
  if (options.method != "adamw" && options.method != "muon") {
    throw Error::usage("--optimiser", "'" + options.method + "' is not one of adamw, muon");
  }
  AdamGroup decayed, plain;
  decayed.decay = options.weight_decay;
  std::map<std::vector<int64_t>, MuonGroup> matrices;
  for (const Parameters::Entry& entry : parameters.entries()) {
    if (!entry.trainable) continue;
    if (options.method == "muon" && is_muon_matrix(entry)) {
      MuonGroup& group = matrices[entry.tensor.sizes().vec()];
      group.names.push_back(entry.name);
      group.weights.push_back(entry.tensor);
      continue;
    }
    AdamGroup& group = entry.tensor.dim() >= 2 ? decayed : plain;
    group.names.push_back(entry.name);
    group.weights.push_back(entry.tensor);
    const at::Tensor zero = at::zeros_like(entry.tensor, at::TensorOptions().requires_grad(false));
    group.mean.push_back(zero);
    group.square.push_back(zero.clone());
    group.steps.push_back(at::zeros({}, zero.options()));
  }
  for (auto& [shape, group] : matrices) {
    const auto count = static_cast<int64_t>(group.weights.size());
    group.momentum =
        at::zeros({count, shape[0], shape[1]}, group.weights[0].options().requires_grad(false));
    muon_.push_back(std::move(group));
  }
  for (AdamGroup* group : {&decayed, &plain}) {
    if (!group->weights.empty()) adam_.push_back(std::move(*group));
  }
}

// Weights that took no part in the loss (a null condition not drawn in this batch) count as
// gradient zero.
static std::vector<at::Tensor> gradients(const std::vector<at::Tensor>& weights) {
  std::vector<at::Tensor> list;
  for (const at::Tensor& w : weights)
    list.push_back(w.grad().defined() ? w.grad() : at::zeros_like(w));
  return list;
}

double Optimiser::clip() {
  std::vector<at::Tensor> all;
  for (const at::Tensor& w : parameters_.trainable()) {
    if (w.grad().defined()) all.push_back(w.grad());
  }
  if (all.empty()) return 0;
  const at::Tensor norms = at::stack(at::_foreach_norm(all, 2));
  const double norm = norms.to(at::kDouble).norm().item<double>();
  if (options_.clip_norm > 0 && std::isfinite(norm) && norm > options_.clip_norm) {
    at::_foreach_mul_(all, options_.clip_norm / norm);
  }
  return norm;
}

void Optimiser::step_adam(AdamGroup& group, double scale) {
  at::_fused_adamw_(group.weights, gradients(group.weights), group.mean, group.square, {},
                    group.steps, options_.learning_rate * scale, options_.beta1, options_.beta2,
                    group.decay, options_.epsilon, /*amsgrad=*/false, /*maximize=*/false);
}

void Optimiser::step_muon(MuonGroup& group, double scale) {
  const at::Tensor gradient = at::stack(gradients(group.weights));
  group.momentum.mul_(kMuonMomentum).add_(gradient);
  const at::Tensor ahead = gradient + kMuonMomentum * group.momentum;  // Nesterov
  const bool bf16 = options_.muon_precision == Precision::bf16;
  const at::Tensor direction =
      orthogonalise(ahead, bf16 ? at::kBFloat16 : at::kFloat).to(at::kFloat);
  // Tall matrices get longer steps, so that each output moves alike whatever the shape.
  const double rows = static_cast<double>(direction.size(1));
  const double columns = static_cast<double>(direction.size(2));
  const double rate = options_.muon_rate * scale * std::sqrt(std::max(1.0, rows / columns));
  // By Muon's own rate: it is what the decay has to hold in check, whatever AdamW's is.
  at::_foreach_mul_(group.weights, 1 - options_.muon_rate * scale * options_.weight_decay);
  at::_foreach_add_(group.weights, direction.unbind(0), -rate);
}

double Optimiser::step(double scale) {
  const at::NoGradGuard no_grad;
  const double norm = clip();
  if (std::isfinite(norm)) {
    for (AdamGroup& group : adam_) {
      for (at::Tensor& steps : group.steps) steps.add_(1);
      step_adam(group, scale);
    }
    for (MuonGroup& group : muon_) step_muon(group, scale);
  }
  parameters_.zero_grad();
  return norm;
}

std::vector<NamedTensor> Optimiser::state() const {
  std::vector<NamedTensor> list;
  for (const AdamGroup& group : adam_) {
    for (size_t i = 0; i < group.names.size(); ++i) {
      list.push_back({"optimiser.mean." + group.names[i], group.mean[i]});
      list.push_back({"optimiser.square." + group.names[i], group.square[i]});
      list.push_back({"optimiser.steps." + group.names[i], group.steps[i]});
    }
  }
  for (const MuonGroup& group : muon_) {
    for (size_t i = 0; i < group.names.size(); ++i) {
      list.push_back(
          {"optimiser.momentum." + group.names[i], group.momentum[static_cast<int64_t>(i)]});
    }
  }
  return list;
}

void Optimiser::load_state(const SafetensorsFile& file) {
  const at::NoGradGuard no_grad;
  for (const NamedTensor& named : state()) {  // tensors share memory with the state itself
    at::Tensor to = named.tensor;
    to.copy_(restored(file, named.name, to));
  }
}

double rate_factor(const std::string& shape, int64_t warmup, int64_t step, double done) {
  const double up = std::min(1.0, static_cast<double>(step + 1) / static_cast<double>(warmup + 1));
  const double left = 1 - std::clamp(done, 0.0, 1.0);
  if (shape == "constant") return up;
  if (shape == "linear") return up * left;
  if (shape == "cosine") return up * 0.5 * (1 - std::cos(std::numbers::pi * left));
  throw Error::usage("--rate-shape", "'" + shape + "' is not one of constant, linear, cosine");
}

}  // namespace vq
