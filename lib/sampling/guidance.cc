#include "lib/sampling/guidance.h"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>
#include <numbers>

#include "formats/error.h"

namespace vq {

at::Tensor guide(const at::Tensor& log_conditioned, const at::Tensor& log_null,
                 const at::Tensor& scale) {
  constexpr double impossible = -std::numeric_limits<double>::infinity();
  const at::Tensor w = scale.to(log_null.options());
  // In place: the tables of a late step are large, and fresh memory costs more than the arithmetic.
  at::Tensor mixed = (log_conditioned - log_null).mul_(w.view({-1, 1})).add_(log_null);
  // An impossible guess makes NaN or an infinity of either sign, and nothing else does.
  mixed.nan_to_num_(impossible, impossible, impossible);
  at::Tensor result = at::log_softmax(mixed, -1);
  // Where it is off, the guess as it is; on a device that would have to be waited for, by way of
  // all.
  const at::Tensor as_is = w.expand({result.size(0)}).eq(1);
  if (!result.is_cpu()) return at::where(as_is.unsqueeze(1), log_conditioned, result);
  const at::Tensor off = as_is.nonzero().squeeze(1);
  if (off.numel() > 0) result.index_copy_(0, off, log_conditioned.index_select(0, off));
  return result;
}

at::Tensor guide(const at::Tensor& log_conditioned, const at::Tensor& log_null, double scale) {
  return guide(log_conditioned, log_null, at::full({1}, scale, at::kDouble));
}

void Guidance::check() const {
  if (shape != "constant" && shape != "linear" && shape != "cosine") {
    throw Error::usage("--guidance-schedule",
                       "'" + shape + "' is not one of constant, linear, cosine");
  }
  if (!(0 <= low && low <= high && high <= 1)) {
    throw Error::usage("--guidance-interval", "needs two shares of [mask], 0 <= LO <= HI <= 1");
  }
}

double Guidance::at(double mask_share) const {
  if (mask_share < low || mask_share > high) return 1;
  const double there = 1 - mask_share;
  if (shape == "linear") return 1 + (scale - 1) * there;
  if (shape == "cosine") return 1 + (scale - 1) * (1 - std::cos(std::numbers::pi * there)) / 2;
  return scale;
}

}  // namespace vq
