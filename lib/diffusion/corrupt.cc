#include "lib/diffusion/corrupt.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace vq {
namespace {

// What becomes of a row's tokens: [mask] when the first uniform is below `masked`, any of the K
// tokens, itself among them (Eq. 2), when it is below `changed`.
struct Chances {
  double masked, changed;
};

at::Tensor noisier(const at::Tensor& x_0, int64_t k, const std::vector<Chances>& chances,
                   const UniformGrid& noise) {
  const int64_t length = x_0.size(1);
  at::Tensor result = x_0.to(at::kCPU, at::kLong).clone(at::MemoryFormat::Contiguous);
  int64_t* token = result.data_ptr<int64_t>();
  const double* first = noise.first.data_ptr<double>();
  const double* second = noise.second.data_ptr<double>();
  for (const Chances& row : chances) {
    for (int64_t l = 0; l < length; ++l, ++token, ++first, ++second) {
      if (*first < row.masked) {
        *token = k;
      } else if (*first < row.changed) {
        *token = std::min(k - 1, static_cast<int64_t>(*second * static_cast<double>(k)));
      }
    }
  }
  return result.to(x_0.device());
}

}  // namespace

at::Tensor corrupt(const Schedule& schedule, const at::Tensor& x_0, const std::vector<int>& times,
                   const UniformGrid& noise) {
  std::vector<Chances> chances;
  for (const int t : times) {
    const double masked = schedule.gamma_bar(t);
    chances.push_back({masked, masked + schedule.codebook_size() * schedule.beta_bar(t)});
  }
  return noisier(x_0, schedule.codebook_size(), chances, noise);
}

at::Tensor mask_tokens(const Schedule& schedule, const at::Tensor& x_0,
                       const std::vector<double>& times, const UniformGrid& noise) {
  std::vector<Chances> chances;
  for (const double t : times) chances.push_back({schedule.gamma_bar(t), 0});
  return noisier(x_0, schedule.codebook_size(), chances, noise);
}

}  // namespace vq
