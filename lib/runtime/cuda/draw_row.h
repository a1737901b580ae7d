// One token from one row of logits, by the threads of one block: guidance, temperature, truncation
// and the draw, without a table in between. The same law as guide(), truncate(), draw_posterior()
// and draw_tokens(), which see; what differs is the order of roundings. Logits are mixed where
// guide() mixes logarithms of chances: the constants between them fall out when the row is
// normalised.
//
// A row of which nothing can be said (NaN, an infinity, no token possible) gives the last token, as
// it does there. Whatever the numbers are, nothing is read or written outside the row.
//                                                                     (draw_row_test.cc)
#pragma once

#include <cmath>
#include <cstdint>

#include "lib/runtime/cuda/block.h"
#include "lib/runtime/cuda/floats.h"

namespace vq {

// What all rows have in common. K below 2^30.
struct DrawRules {
  int32_t tokens = 0;  // K
  float temperature = 1;
  double top_p = 1;
  int32_t top_k = 0;  // 1..K; K: all
  bool posterior = false;
  double alpha = 0, beta = 0, alpha_bar_s = 0, beta_bar_s = 0, alpha_bar_t = 0, beta_bar_t = 0;
};

// One row: null may be nullptr. With posterior `here` is its token or K.
template <typename Logit>
struct DrawRow {
  const Logit* conditioned;
  const Logit* null;
  float scale;
  int64_t here;
  double first, second;
};

// The body. `row` has room for K numbers that all threads of the block reach; the threads may be
// used for the next row as soon as they are back.
template <typename Block>
class RowDrawer {
 public:
  VQ_HOST_DEVICE RowDrawer(const Block& block, BlockScratch& scratch, float* row,
                           const DrawRules& rules)
      : all_(block, scratch), row_(row), rules_(rules) {}

  // The token goes to *result, written by one thread.
  template <typename Logit>
  VQ_HOST_DEVICE void draw(const DrawRow<Logit>& from, int64_t* result) {
    const bool masked = !rules_.posterior || from.here == k();
    // Nothing is ever replaced, so a token that is there is right. (And none is outside the row.)
    if (!masked && (rules_.beta_bar_t <= 0 || from.here < 0 || from.here > k())) {
      if (all_.thread() == 0) *result = from.here;
      return;
    }
    read(from);
    double mass = exponentials();
    if (rules_.top_k < k() || rules_.top_p < 1) mass = truncate(mass);
    // The last sum was a meeting: from here on each thread may read what others wrote.
    if (!rules_.posterior) {
      invert(from.second, result, [&](int32_t j) { return double{row_[j]}; });
    } else if (masked) {
      invert(from.second, result, [&](int32_t j) {
        return rules_.alpha_bar_s * (double{row_[j]} / mass) + rules_.beta_bar_s;
      });
    } else {
      draw_other(from, mass, result);
    }
    all_.sync();  // the row may be overwritten
  }

 private:
  VQ_HOST_DEVICE int32_t k() const { return rules_.tokens; }

  // Every thread has its own numbers of the row: visit(j).
  template <typename Visit>
  VQ_HOST_DEVICE void own(const Visit& visit) const {
    for (int32_t j = all_.thread(); j < k(); j += all_.threads()) visit(j);
  }

  // Guided logits. A branch with NaN, an infinity above or nothing but infinities below has no
  // log_softmax, so nothing is possible: then one number is made an infinity, which empties the
  // row.
  template <typename Logit>
  VQ_HOST_DEVICE void read(const DrawRow<Logit>& from) {
    const bool guided = from.null != nullptr && from.scale != 1;
    own([&](int32_t j) {
      const float x = to_float(from.conditioned[j]);
      float mixed = x;
      bool broken = !(x < INFINITY);
      if (guided) {
        const float null = to_float(from.null[j]);
        mixed = (x - null) * from.scale + null;
        broken = broken || !(null < INFINITY);
        // What has no chance in either guess has none.
        if (!(mixed < INFINITY)) mixed = -INFINITY;
      }
      row_[j] = broken ? INFINITY : mixed;
    });
  }

  // Weights, the largest of which is 1; their sum.
  VQ_HOST_DEVICE double exponentials() {
    float largest = -INFINITY;
    own([&](int32_t j) { largest = row_[j] > largest ? row_[j] : largest; });
    largest = all_.largest(largest);
    const bool possible = largest > -INFINITY && largest < INFINITY;
    double sum = 0;
    own([&](int32_t j) {
      row_[j] = possible ? expf((row_[j] - largest) / rules_.temperature) : 0;
      sum += row_[j];
    });
    return all_.sum(sum);
  }

  // ---- truncation

  // Numbers that are not negative are in order of their bits.
  struct Above {
    double mass;
    int32_t count;
  };
  // Of all weights whose bits are above `bits`. Both fall as it rises.
  VQ_HOST_DEVICE Above above(uint32_t bits) {
    double mass = 0;
    int32_t count = 0;
    own([&](int32_t j) {
      if (bits_of(row_[j]) > bits) {
        mass += row_[j];
        ++count;
      }
    });
    const auto both = all_.sum(mass, count);
    return {both.sum, both.count};
  }

  // Ranks are kept while there are fewer than `count` of them with a mass below `mass`; the first
  // one always.
  VQ_HOST_DEVICE static bool keeps(const Above& before, int32_t count, double mass) {
    return before.count == 0 || (before.count < count && before.mass < mass);
  }

  // Where the kept ranks end: all weights with bits above `bits` are kept, and the first `equals`
  // of those with just these bits.
  struct Cut {
    uint32_t bits;
    int32_t equals;
    double mass;  // of what is kept
  };
  VQ_HOST_DEVICE Cut cut(int32_t count, double mass) {
    // The smallest bits whose first one is kept, between `out` (-1: none), which is not, and `in`.
    int64_t out = -1, in = bits_of(1.0f);  // the largest weight is 1
    Above before{0, 0};
    while (in - out > 1) {
      const int64_t middle = out + (in - out) / 2;
      const Above here = above(static_cast<uint32_t>(middle));
      if (keeps(here, count, mass)) {
        in = middle;
        before = here;
      } else {
        out = middle;
      }
    }
    const auto bits = static_cast<uint32_t>(in);
    const double each = float_of(bits);
    int32_t equals = count - before.count;
    if (each > 0 && mass < INFINITY) {
      const double by_mass = ceil((mass - before.mass) / each);
      if (by_mass < equals) equals = by_mass > 1 ? static_cast<int32_t>(by_mass) : 1;
    }
    return {bits, equals, before.mass + equals * each};
  }

  // How many of equal weights lie before a token.
  VQ_HOST_DEVICE int32_t equals_before(uint32_t bits, int32_t token) {
    int32_t count = 0;
    own([&](int32_t j) { count += j < token && bits_of(row_[j]) == bits ? 1 : 0; });
    return all_.sum(0, count).count;
  }

  // Zeroes what is left out; the mass of the rest.
  VQ_HOST_DEVICE double truncate(double mass) {
    if (!(mass > 0)) return mass;  // nothing is possible: all zero
    double kept = mass;
    Cut end{0, k(), mass};
    if (rules_.top_k < k()) {
      end = cut(rules_.top_k, INFINITY);
      kept = end.mass;
    }
    if (rules_.top_p < 1) end = cut(rules_.top_k, rules_.top_p * kept);
    // Of equals the lower numbers: those below `stop`, the smallest with `equals` of them before
    // it.
    int32_t stop = k();
    if (equals_before(end.bits, k()) > end.equals) {
      int32_t few = 0;
      while (stop - few > 1) {
        const int32_t middle = few + (stop - few) / 2;
        if (equals_before(end.bits, middle) >= end.equals) {
          stop = middle;
        } else {
          few = middle;
        }
      }
    }
    double sum = 0;
    own([&](int32_t j) {
      const uint32_t bits = bits_of(row_[j]);
      if (bits < end.bits || (bits == end.bits && j >= stop)) row_[j] = 0;
      sum += row_[j];
    });
    return all_.sum(sum);
  }

  // ---- the draw

  // x_s of a position that holds a token.
  template <typename Logit>
  VQ_HOST_DEVICE void draw_other(const DrawRow<Logit>& from, double mass, int64_t* result) {
    const DrawRules& q = rules_;
    const auto here = static_cast<int32_t>(from.here);
    const double p_here = row_[here] / mass;
    const double w_here = p_here / (q.alpha_bar_t + q.beta_bar_t);
    const double all = (1 - p_here) / q.beta_bar_t + w_here;
    const double keep = (q.alpha + q.beta) * (q.alpha_bar_s * w_here + q.beta_bar_s * all);
    if (from.first >= 1 - keep) {
      if (all_.thread() == 0) *result = here;
      return;
    }
    // It changes, so to another one: the mixture times B_t, without the token that is there.
    double even = 0;
    if (q.beta_bar_s > 0) {
      double others = 0;
      own([&](int32_t j) { others += j == here ? 0 : double{row_[j]}; });
      others = all_.sum(others) / mass;
      even = q.beta_bar_s * (w_here * q.beta_bar_t + others);
    }
    invert(from.second, result, [&](int32_t j) {
      return j == here ? 0 : q.alpha_bar_s * (double{row_[j]} / mass) + even;
    });
  }

  // The first token at which the sum of weights passes the target; the last one where there is
  // none. Each thread adds up a stretch of tokens, and the one in whose stretch the target lies
  // looks there.
  template <typename Weight>
  VQ_HOST_DEVICE void invert(double uniform, int64_t* result, const Weight& weight) {
    // Odd, so that threads side by side read from different banks of shared memory.
    const int64_t stretch = (k() / all_.threads() + 1) | 1;
    const int64_t begin = all_.thread() * stretch;
    const int64_t end = begin + stretch < k() ? begin + stretch : k();
    double share = 0;
    for (int64_t j = begin; j < end; ++j) share += weight(static_cast<int32_t>(j));
    const auto range = all_.side_by_side(share);
    const double target = uniform * range.all;
    // Also where the sum is NaN. Else the target lies in some thread's range: they leave no gap.
    if (!(target >= 0 && target < range.all)) {
      if (all_.thread() == 0) *result = k() - 1;
      return;
    }
    if (!(range.from <= target && target < range.to)) return;
    int64_t last = begin;
    double upto = 0;
    for (int64_t j = begin; j < end; ++j) {
      const double w = weight(static_cast<int32_t>(j));
      if (!(w > 0)) continue;  // never comes out
      last = j;
      upto += w;
      if (range.from + upto > target) break;
    }
    *result = last;
  }

  Together<Block> all_;
  float* row_;
  const DrawRules& rules_;
};

}  // namespace vq
