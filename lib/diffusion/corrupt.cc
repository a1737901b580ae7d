#include "lib/diffusion/corrupt.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace vq {

at::Tensor corrupt(const Schedule& schedule, const at::Tensor& x_0, const std::vector<int>& times,
                   const UniformGrid& noise) {
  const int64_t rows = x_0.size(0), length = x_0.size(1);
  const int64_t k = schedule.codebook_size();
  const at::Tensor from = x_0.to(at::kCPU, at::kLong).contiguous();
  at::Tensor result = from.clone();
  int64_t* token = result.data_ptr<int64_t>();
  const double* first = noise.first.data_ptr<double>();
  const double* second = noise.second.data_ptr<double>();
  for (int64_t b = 0; b < rows; ++b) {
    const int t = times[static_cast<size_t>(b)];
    const double masked = schedule.gamma_bar(t);
    const double replaced = masked + static_cast<double>(k) * schedule.beta_bar(t);
    for (int64_t l = 0; l < length; ++l, ++token, ++first, ++second) {
      if (*first < masked) {
        *token = k;
      } else if (*first < replaced) {  // by any of the K tokens, itself among them (Eq. 2)
        *token = std::min(k - 1, static_cast<int64_t>(*second * static_cast<double>(k)));
      }
    }
  }
  return result.to(x_0.device());
}

}  // namespace vq
