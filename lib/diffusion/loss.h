// What training makes small: the variational bound, term by term, and the auxiliary x_0 term (paper
// section 2; the released code's weights).
//
//   log_x0  (B, L, K)  log p(x_0 | x_t), rows normalised      x_0, x_t  (B, L) int64      t  B
//   times, 1..T
//
// bound (B, L): KL(q(x_{t-1} | x_t, x_0) || p(x_{t-1} | x_t)) in nats for t > 1, and -log p(x_0 |
// x_1) for t = 1. Computed by index arithmetic: of the true posterior only the columns x_t and x_0
// differ from a constant. auxiliary (B, L): -log p(x_0 | x_t), weighed by 1 + (1 - t/T) when
// adaptive.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "formats/safetensors.h"
#include "lib/diffusion/schedule.h"
#include "lib/weights/model_file.h"

namespace vq {

// (B, L): the terms of the bound, each row of the batch at its own t.
at::Tensor bound_terms(const Schedule& schedule, const at::Tensor& log_x0, const at::Tensor& x_0,
                       const at::Tensor& x_t, const std::vector<int>& times);

struct LossOptions {
  double auxiliary_weight = 5e-4;  // released text models; 1e-3 for classes and none
  bool adaptive = true;            // auxiliary term times 2 - t/T
  double mask_weight = 1;          // of positions that are [mask]
  double token_weight = 1;         // of positions that hold a token
};

struct Loss {
  at::Tensor total;  // scalar: what to differentiate, in nats a token times T, as the released code
                     // scales it
  at::Tensor bound;  // (B) sums over positions, nats, without gradient
  at::Tensor x0;     // (B) mean of -log p(x_0) over masked positions (all positions when none is)
  at::Tensor accuracy;  // scalar: share of masked positions whose most likely token is right
};

// pt (B): the probabilities with which the times were drawn.
Loss diffusion_loss(const Schedule& schedule, const LossOptions& options, const at::Tensor& log_x0,
                    const at::Tensor& x_0, const at::Tensor& x_t, const std::vector<int>& times,
                    const std::vector<double>& pt);

// Draws t by how large the bound's term has been: w_t = sqrt(mean of squares), mixed so that no t
// starves.
//
//   history_t <- 0.9 history_t + 0.1 mean of the squares seen for t in this batch    (duplicates:
//   their mean) p_t proportional to sqrt(history_t + 1e-10) + 1e-4, with p_1 := p_2, once every t
//   was seen more than ten times; until then uniform (constants of the released code)
class TimestepSampler {
 public:
  // method: "importance" or "uniform"
  TimestepSampler(std::string method, int timesteps);
  std::vector<int> draw(const std::vector<double>& uniforms) const;  // 1..T
  double probability(int t) const;
  void update(const std::vector<int>& times, const std::vector<double>& bounds);
  // The bound in nats: the sum over t of the mean terms seen lately; not-a-number before every t
  // was seen.
  double expected_bound() const;

  std::vector<NamedTensor> state() const;
  void load_state(const SafetensorsFile& file);

 private:
  void recompute();
  std::string method_;
  std::vector<double> square_, mean_, seen_, p_;  // index t - 1
};

}  // namespace vq
