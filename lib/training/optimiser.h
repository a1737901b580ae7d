// Gradients -> new weights: AdamW for everything, or Muon for the matrices inside a network and
// AdamW for the rest.
//
//   AdamW   Loshchilov & Hutter 2019, decoupled weight decay, bias correction; betas (0.9, 0.96)
//           and decay 0.045 are the released VQ-Diffusion settings.
//   Muon    Jordan et al. 2024: the momentum of a weight matrix is replaced by its nearest
//           orthogonal matrix (five Newton-Schulz iterations) before the step; learns small
//           networks in fewer steps. Its steps have one length however small the gradient, so
//           only the decay bounds the weights: at size 1 / decay when gradients agree.
//
// Law: saving, loading and going on gives the same bits as never having stopped.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "lib/weights/model_file.h"
#include "lib/runtime/device.h"
#include "lib/weights/parameters.h"

namespace vq {

struct OptimiserOptions {
  std::string method = "adamw";  // adamw | muon
  double learning_rate = 2e-4;   // AdamW's
  double muon_rate = 0.02;       // Muon's
  double beta1 = 0.9, beta2 = 0.96, epsilon = 1e-8;
  double weight_decay = 0.045;  // of tensors with two or more dimensions, times their own rate
  double clip_norm = 0.5;       // of the gradient of all weights together; 0: none
  // Muon's products, whose result is rough by design. Half the time in bf16 on a CPU that has it.
  Precision muon_precision = Precision::fp32;
};

class Optimiser {
 public:
  // Muon takes two-dimensional tensors whose names end in ".weight", but not embeddings
  // ("embedding"), not conditioning tables ("norm"), not the last layer ("head") and not the text
  // encoder ("condition."); AdamW takes the rest.
  Optimiser(Parameters& parameters, const OptimiserOptions& options);

  // One step with both learning rates multiplied by `scale`; clears the gradients. Returns the norm
  // of the gradient before clipping; when that is not finite nothing is changed.
  double step(double scale);

  std::vector<NamedTensor> state() const;  // names "optimiser...."
  void load_state(const SafetensorsFile& file);

 private:
  // Tensors that are treated alike, so that one call of the library updates them all.
  struct AdamGroup {
    std::vector<std::string> names;
    std::vector<at::Tensor> weights, mean, square, steps;
    double decay = 0;
  };
  struct MuonGroup {  // matrices of one shape; the momentum is kept stacked, (n, rows, columns)
    std::vector<std::string> names;
    std::vector<at::Tensor> weights;
    at::Tensor momentum;
  };
  void step_adam(AdamGroup& group, double scale);
  void step_muon(MuonGroup& group, double scale);
  double clip();

  Parameters& parameters_;
  OptimiserOptions options_;
  std::vector<AdamGroup> adam_;
  std::vector<MuonGroup> muon_;
};

// The factor of the learning rate: a linear warm-up over the first steps, times what the shape
// (constant, linear, cosine) leaves when `done`, 0..1, of the run's budget is spent. The budget may
// be seconds, hence a share and not a step.
double rate_factor(const std::string& shape, int64_t warmup, int64_t step, double done);

}  // namespace vq
