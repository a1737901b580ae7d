#include "lib/sampling/truncation.h"

#include <ATen/ATen.h>

namespace vq {

at::Tensor truncate(const at::Tensor& log_p, const Truncation& truncation) {
  const int64_t k = log_p.size(-1);
  const bool all_ranks = truncation.top_k <= 0 || truncation.top_k >= k;
  at::Tensor p =
      at::softmax(truncation.temperature == 1 ? log_p : log_p / truncation.temperature, -1);
  if (all_ranks && truncation.top_p >= 1) return p;

  const auto [sorted, rank_to_token] = at::sort(p, /*stable=*/true, -1, /*descending=*/true);
  at::Tensor kept = sorted;
  if (!all_ranks) kept = kept.narrow(-1, 0, truncation.top_k);
  if (truncation.top_p < 1) {
    // Ranks by their share of what top-k left.
    const at::Tensor before = (kept / kept.sum(-1, true)).cumsum(-1).roll(1, -1);
    before.select(-1, 0).zero_();
    kept = kept.masked_fill(before.ge(truncation.top_p), 0);
    kept.select(-1, 0).copy_(sorted.select(-1, 0));
  }
  kept = kept / kept.sum(-1, true);
  return at::zeros_like(p).scatter(-1, rank_to_token.narrow(-1, 0, kept.size(-1)), kept);
}

}  // namespace vq
