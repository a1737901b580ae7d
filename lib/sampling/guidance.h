// Discrete classifier-free guidance: a conditioned and an unconditioned guess -> a sharper guess
// (paper Eq. 6, 7).
//
//   log p  =  log p(x_0) + W (log p(x_0 | y) - log p(x_0)),  renormalised
//
// log_conditioned, log_null  (N, K)   rows normalised;  scale (N) or one number;  result (N, K),
// rows normalised. W is the ecosystem's scale: W = s + 1 with the paper's s. A row with W = 1 is
// the conditioned guess itself, bit by bit. Applied to the guess of x_0, as the paper's remark (1)
// on Eq. 7 and the released code do, or to log p(x_s | x_t) with [mask] as one more column; what
// has no chance in either guess has none in the result.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace vq {

at::Tensor guide(const at::Tensor& log_conditioned, const at::Tensor& log_null,
                 const at::Tensor& scale);
at::Tensor guide(const at::Tensor& log_conditioned, const at::Tensor& log_null, double scale);

// How strong the guidance is as a grid fills, by its share of [mask], 1 at the start.
//   constant   W
//   linear     1 + (W - 1) d          d = 1 - share: most when most is there already (Muse)
//   cosine     1 + (W - 1) (1 - cos(pi d)) / 2
// Outside [low, high] it is 1, which is off (Kynkaanniemi et al. 2024).
struct Guidance {
  double scale = 1;  // W
  std::string shape = "constant";
  double low = 0, high = 1;
  bool on_posterior = false;  // Eq. 5's p(x_s | x_t) instead of p(x_0 | x_t)

  // Throws vq::Error (usage) for a shape that is not one of the above, or low > high.
  void check() const;
  bool off() const { return scale == 1; }
  double at(double mask_share) const;
};

}  // namespace vq
