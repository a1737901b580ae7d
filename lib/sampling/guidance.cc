#include "lib/sampling/guidance.h"

#include <ATen/ATen.h>

namespace vq {

at::Tensor guide(const at::Tensor& log_conditioned, const at::Tensor& log_null, double scale) {
  return at::log_softmax(log_null + scale * (log_conditioned - log_null), -1);
}

}  // namespace vq
