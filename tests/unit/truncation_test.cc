#include "lib/sampling/truncation.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <vector>

namespace vq {
namespace {

int64_t kept(const std::vector<double>& p, Truncation how) {
  return truncate(at::tensor(p, at::kDouble).log().unsqueeze(0), how).gt(0).sum().item<int64_t>();
}

// The released code's rule: a rank is kept when the mass before it is below P.
TEST(Truncate, TopPKeepsTheTokenThatCrosses) {
  const std::vector<double> p = {.2, .4, .1, .3};
  EXPECT_EQ(kept(p, {.top_p = .39}), 1);
  EXPECT_EQ(kept(p, {.top_p = .5}), 2);
  EXPECT_EQ(kept(p, {.top_p = .86}), 3);
  EXPECT_EQ(kept(p, {.top_p = .95}), 4);
  EXPECT_EQ(kept(p, {.top_p = 1}), 4);
  EXPECT_EQ(kept(p, {.top_p = 1e-9}), 1);
}

// The mass before a rank must be below P, not equal to it. Halves and quarters are exact.
TEST(Truncate, TopPIsAStrictBound) {
  const std::vector<double> p = {.25, .5, .125, .125};
  EXPECT_EQ(kept(p, {.top_p = .5}), 1);
  EXPECT_EQ(kept(p, {.top_p = .75}), 2);
  EXPECT_EQ(kept(p, {.top_p = .8}), 3);
}

TEST(Truncate, KeepsTheRightTokensAndNormalises) {
  const at::Tensor log_p = at::tensor({.2, .4, .1, .3}, at::kDouble).log().unsqueeze(0);
  const at::Tensor want = at::tensor({0.0, 4.0 / 7, 0.0, 3.0 / 7}, at::kDouble).unsqueeze(0);
  EXPECT_TRUE(at::allclose(truncate(log_p, {.top_p = .5}), want, 1e-12, 1e-12));
  EXPECT_TRUE(at::allclose(truncate(log_p, {.top_k = 2}), want, 1e-12, 1e-12));
  EXPECT_TRUE(at::allclose(truncate(log_p, {.top_p = .99, .top_k = 2}), want, 1e-12, 1e-12));
}

TEST(Truncate, TemperatureSharpens) {
  const at::Tensor log_p = at::tensor({.2, .8}, at::kDouble).log().unsqueeze(0);
  const at::Tensor want = at::tensor({.04 / .68, .64 / .68}, at::kDouble).unsqueeze(0);
  EXPECT_TRUE(at::allclose(truncate(log_p, {.temperature = .5}), want, 1e-12, 1e-12));
}

TEST(Truncate, AmongEqualsTheLowerNumberComesFirst) {
  const at::Tensor log_p = at::full({1, 8}, 0.125, at::kDouble).log();
  const at::Tensor p = truncate(log_p, {.top_k = 3});
  EXPECT_EQ(p.gt(0).nonzero().select(1, 1).max().item<int64_t>(), 2);
}

// Every rank in order, one by one: flat rows and steep ones, with ties and impossible tokens.
std::vector<double> truncated_by_sorting(const std::vector<double>& p, const Truncation& how) {
  std::vector<size_t> order(p.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return p[a] > p[b]; });
  if (how.top_k > 0 && static_cast<size_t>(how.top_k) < p.size()) order.resize(how.top_k);
  double all = 0, before = 0;
  for (const size_t token : order) all += p[token];
  std::vector<double> kept(p.size());
  for (const size_t token : order) {
    if (how.top_p < 1 && before > 0 && before >= how.top_p * all) break;
    kept[token] = p[token];
    before += p[token];
  }
  for (double& value : kept) value /= before;
  return kept;
}

TEST(Truncate, EqualsSortingEveryRank) {
  const at::Generator random = at::make_generator<at::CPUGeneratorImpl>(5);
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    for (const int64_t k : {1, 2, 33, 1000}) {
      for (const double steepness : {0.0, 0.1, 3.0, 30.0}) {
        for (const bool ties : {false, true}) {
          at::Tensor logits = at::randn({8, k}, random, type) * steepness;
          if (ties) logits = logits.round();
          if (k > 2) logits.select(1, 1).fill_(-std::numeric_limits<double>::infinity());
          const at::Tensor log_p = at::log_softmax(logits, -1);
          const at::Tensor p = at::softmax(log_p, -1).to(at::kDouble);
          for (const Truncation how : {Truncation{.top_p = .86},
                                       {.top_p = .123},
                                       {.top_p = .99999},
                                       {.top_p = 1e-9},
                                       {.top_k = 5},
                                       {.top_p = .7, .top_k = 20}}) {
            const at::Tensor got = truncate(log_p, how).to(at::kDouble);
            for (int64_t row = 0; row < 8; ++row) {
              const double* const values = p.const_data_ptr<double>() + row * k;
              const at::Tensor want =
                  at::tensor(truncated_by_sorting({values, values + k}, how), at::kDouble);
              ASSERT_TRUE(at::equal(got[row].gt(0), want.gt(0)))
                  << k << " " << steepness << " " << ties << " " << how.top_p << " " << how.top_k;
              ASSERT_TRUE(at::allclose(got[row], want, 1e-6, 0));
            }
          }
        }
      }
    }
  }
}

TEST(Truncate, RowsDoNotDependOnEachOther) {
  const at::Tensor log_p = at::log_softmax(at::randn({5, 50}, at::kFloat), -1);
  const at::Tensor all = truncate(log_p, {.top_p = .7});
  for (int64_t i = 0; i < 5; ++i) {
    EXPECT_TRUE(at::equal(truncate(log_p.narrow(0, i, 1), {.top_p = .7}), all.narrow(0, i, 1)));
  }
}

}  // namespace
}  // namespace vq
