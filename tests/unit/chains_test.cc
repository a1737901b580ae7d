// The tiny model that samplers are held against must not be blind: if its guesses did not depend on
// the other tokens and on the time, a sampler that asks for the wrong ones would pass.

#include "tests/unit/chains.h"

#include <gtest/gtest.h>

namespace vq::testing {
namespace {

double distance(const std::vector<double>& p, const std::vector<double>& q) {
  double sum = 0;
  for (size_t j = 0; j < p.size(); ++j) sum += std::abs(p[j] - q[j]) / 2;
  return sum;
}

TEST(ChainModel, GuessesDependOnTheOtherTokensAndTheTime) {
  for (const int codes : {3, 5}) {
    const auto model = chain_model(1, 2, codes, 4);
    Oracle oracle(*model);
    double by_token = 0, by_time = 0, least = 1;
    for (int t = 1; t <= 4; ++t) {
      for (int token = 0; token < codes; ++token) {
        const auto& p = oracle({codes, token}, t)[0];
        const auto& other = oracle({codes, (token + 1) % codes}, t)[0];
        by_token = std::max(by_token, distance(p, other));
        by_time = std::max(by_time, distance(p, oracle({codes, token}, t % 4 + 1)[0]));
        least = std::min(least, *std::min_element(p.begin(), p.end()));
      }
    }
    EXPECT_GT(by_token, 0.3);
    EXPECT_GT(by_time, 0.1);
    EXPECT_GT(least, 0.002);  // or the tests would need more grids to see it
  }
}

TEST(ChanceOfSet, IsThatOfDrawingWithoutReplacement) {
  const auto weight = [](size_t cell) { return static_cast<double>(cell + 1); };
  // 1, 2, 3 of 6: the pair {0, 1} is 0 then 1 (1/6 2/5), or 1 then 0 (2/6 1/4).
  EXPECT_NEAR(chance_of_set({1, 0}, {0, 1, 2}, weight), 2.0 / 30 + 2.0 / 24, 1e-12);
  EXPECT_NEAR(chance_of_set({0, 1, 2}, {0, 1, 2}, weight), 1, 1e-12);
}

TEST(ChiSquare, NoticesAWrongShare) {
  EXPECT_TRUE(chi_square({5020, 4980}, {0.5, 0.5}).plausible());
  EXPECT_FALSE(chi_square({5400, 4600}, {0.5, 0.5}).plausible());
}

}  // namespace
}  // namespace vq::testing
