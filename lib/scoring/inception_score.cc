#include "lib/scoring/inception_score.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <cmath>

#include "formats/error.h"

namespace vq {

void InceptionScore::add(const at::Tensor& logits) {
  const at::NoGradGuard no_grad;
  const at::Tensor log_p = at::log_softmax(logits.to(at::kCPU, at::kDouble), 1);
  const at::Tensor p = log_p.exp();
  const at::Tensor entropy = (p * log_p).sum(1);
  for (int64_t i = 0; i < logits.size(0); ++i) {
    Part& part = parts_[static_cast<size_t>(count_++ % splits())];
    if (!part.sum.defined()) part.sum = at::zeros({logits.size(1)}, at::kDouble);
    part.sum.add_(p[i]);
    part.negative_entropy += entropy[i].item<double>();
    ++part.count;
  }
}

InceptionScore::Result InceptionScore::finish() const {
  if (count_ < splits()) {
    throw Error("", fmt::format("too few pictures: {}, and the inception score has {} splits",
                                count_, splits()));
  }
  double sum = 0, squares = 0;
  for (const Part& part : parts_) {
    const auto n = static_cast<double>(part.count);
    const at::Tensor mean = part.sum / n;
    const double cross = at::xlogy(mean, mean).sum().item<double>();
    const double score = std::exp(part.negative_entropy / n - cross);
    sum += score;
    squares += score * score;
  }
  const auto n = static_cast<double>(splits());
  Result result;
  result.value = sum / n;
  const double variance = std::max(0.0, squares / n - result.value * result.value);
  result.deviation = std::sqrt(variance);
  result.error = n > 1 ? std::sqrt(variance / (n - 1)) : std::nan("");
  return result;
}

}  // namespace vq
