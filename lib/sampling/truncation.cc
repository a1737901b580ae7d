#include "lib/sampling/truncation.h"

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <limits>
#include <type_traits>
#include <vector>

#include "lib/runtime/parallel.h"

namespace vq {
namespace {

// Keeps the first ranks of one row: the more likely first, of equals the lower number.
//
// Only the rank at which a limit is reached matters, so next to nothing is sorted. Tokens that
// top-p cannot reach are passed over: all of those below (1 - top_p) / K together have less than
// the mass that is left out. The others fall into classes of nearly equal probability; those above
// the limit's are kept whole, and only the members of that one are put in order.
template <typename T>
class Ranks {
 public:
  explicit Ranks(int64_t k) : near_(static_cast<size_t>(k)) {}

  void truncate(T* p, int64_t k, int64_t top_k, double top_p) {
    // Half of the bound, for sums that are one but for rounding.
    read(p, k, top_k < k ? 0 : (1 - top_p) / 2 / static_cast<double>(k));
    Cut cut{{}, mass_};
    if (top_k < k) cut = first_out(top_k, std::numeric_limits<double>::infinity());
    // Ranks by their share of what top-k left.
    if (top_p < 1) cut = first_out(top_k, top_p * cut.mass);
    std::fill(p, p + k, T{0});
    for (size_t i = 0; i < count_; ++i) {
      if (!before(near_[i], cut.next)) continue;
      p[near_[i].token] = static_cast<T>(std::bit_cast<T>(near_[i].key) / cut.mass);
    }
  }

 private:
  // Positive floating-point numbers are in order of their bits; on bits even NaN has its place.
  using Key = std::conditional_t<std::is_same_v<T, double>, uint64_t, uint32_t>;
  struct Member {
    Key key = 0;
    int64_t token = 0;
  };
  struct Cut {
    Member next;
    double mass;  // before it
  };
  struct Class {
    double mass = 0;
    int64_t count = 0;
  };

  // 2^4 classes for each power of two from 1 down to 2^-32; what is smaller shares the last class.
  static constexpr int kSteps = 4, kPowers = 32;
  static constexpr size_t kClasses = (size_t{kPowers} << kSteps) + 1;

  static size_t class_of(T p) {
    constexpr int shift = std::numeric_limits<float>::digits - 1 - kSteps;
    constexpr auto top = static_cast<int32_t>(kClasses) - 1;
    constexpr int32_t one = std::bit_cast<int32_t>(1.0f) >> shift;
    const int32_t steps = std::bit_cast<int32_t>(static_cast<float>(p)) >> shift;
    return static_cast<size_t>(std::clamp(steps - one + top, 0, top));
  }

  static bool before(const Member& a, const Member& b) {
    return a.key != b.key ? a.key > b.key : a.token < b.token;
  }

  void read(const T* p, int64_t k, double threshold) {
    const T least = static_cast<T>(threshold);
    mass_ = 0;
    count_ = 0;
    for (int64_t i = 0; i < k; ++i) {
      mass_ += static_cast<double>(p[i]);
      near_[count_] = {std::bit_cast<Key>(p[i]), i};
      count_ += p[i] < least ? 0 : 1;
    }
    classes_.fill({});
    for (size_t i = 0; i < count_; ++i) {
      const T value = std::bit_cast<T>(near_[i].key);
      Class& c = classes_[class_of(value)];
      c.mass += static_cast<double>(value);
      ++c.count;
    }
  }

  // Ranks are kept while there are fewer than `count` of them, with a mass below `mass`; the first
  // one always.
  Cut first_out(int64_t count, double mass) {
    int64_t rank = 0;
    double upto = 0;
    for (size_t c = kClasses; c-- > 0;) {
      const Class& whole = classes_[c];
      if (whole.count == 0) continue;
      if (rank + whole.count <= count && upto + whole.mass < mass) {
        rank += whole.count;
        upto += whole.mass;
        continue;
      }
      sort_members(c);
      for (const Member& member : members_) {
        if (rank > 0 && (rank >= count || upto >= mass)) return {member, upto};
        upto += static_cast<double>(std::bit_cast<T>(member.key));
        ++rank;
      }
    }
    return {Member{}, upto};  // nothing is left out: below zero there is nothing
  }

  void sort_members(size_t c) {
    members_.clear();
    for (size_t i = 0; i < count_; ++i) {
      if (class_of(std::bit_cast<T>(near_[i].key)) == c) members_.push_back(near_[i]);
    }
    std::sort(members_.begin(), members_.end(), before);
  }

  double mass_ = 0;           // of the row
  std::vector<Member> near_;  // tokens within reach, the first count_ of them
  size_t count_ = 0;
  std::array<Class, kClasses> classes_;
  std::vector<Member> members_;
};

// The same by sorting, for devices where a row is no loop.
at::Tensor truncate_sorted(const at::Tensor& p, int64_t top_k, double top_p) {
  const auto [sorted, rank_to_token] = at::sort(p, /*stable=*/true, -1, /*descending=*/true);
  at::Tensor kept = sorted.narrow(-1, 0, top_k);
  if (top_p < 1) {
    const at::Tensor before = (kept / kept.sum(-1, true)).cumsum(-1).roll(1, -1);
    before.select(-1, 0).zero_();
    kept = kept.masked_fill(before.ge(top_p), 0);
    kept.select(-1, 0).copy_(sorted.select(-1, 0));
  }
  kept = kept / kept.sum(-1, true);
  return at::zeros_like(p).scatter(-1, rank_to_token.narrow(-1, 0, kept.size(-1)), kept);
}

}  // namespace

at::Tensor truncate(const at::Tensor& log_p, const Truncation& truncation) {
  const int64_t k = log_p.size(-1);
  const bool all_ranks = truncation.top_k <= 0 || truncation.top_k >= k;
  const int64_t top_k = all_ranks ? k : truncation.top_k;
  const double top_p = truncation.top_p;
  at::Tensor p =
      at::softmax(truncation.temperature == 1 ? log_p : log_p / truncation.temperature, -1);
  if (all_ranks && top_p >= 1) return p;
  if (!p.is_cpu() || (p.scalar_type() != at::kFloat && p.scalar_type() != at::kDouble)) {
    return truncate_sorted(p, top_k, top_p);
  }

  p = p.contiguous();
  AT_DISPATCH_FLOATING_TYPES(p.scalar_type(), "truncate", [&] {
    scalar_t* const data = p.data_ptr<scalar_t>();
    in_shares(p.numel() / k, 1, [&](int64_t begin, int64_t end) {
      Ranks<scalar_t> ranks(k);
      for (int64_t row = begin; row < end; ++row) {
        ranks.truncate(data + row * k, k, top_k, top_p);
      }
    });
  });
  return p;
}

}  // namespace vq
