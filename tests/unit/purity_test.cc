#include "lib/scoring/purity.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "lib/diffusion/corrupt.h"
#include "lib/random.h"
#include "tests/unit/temp_folder.h"
#include "tests/unit/tiny_model.h"
#include "tests/unit/tiny_set.h"

namespace vq {
namespace {

using testing::random_set;
using testing::tiny_config;
using testing::tiny_model;

struct Position {
  int64_t record;
  double purity;
  bool right;
};

double pearson(const std::vector<Position>& positions) {
  const auto n = static_cast<double>(positions.size());
  double x = 0, y = 0, xx = 0, yy = 0, xy = 0;
  for (const Position& p : positions) x += p.purity / n, y += p.right / n;
  for (const Position& p : positions) {
    const double dx = p.purity - x, dy = p.right - y;
    xx += dx * dx, yy += dy * dy, xy += dx * dy;
  }
  return xy / std::sqrt(xx * yy);
}

Purity table_of(const std::vector<Position>& positions, int64_t records) {
  PurityTable table(records);
  for (const Position& p : positions) table.add(p.record, p.purity, p.right);
  return table.finish();
}

// Records whose positions lie close together in purity, right with that chance.
std::vector<Position> alike(int records, int each, uint64_t seed) {
  std::vector<Position> positions;
  for (int r = 0; r < records; ++r) {
    const auto draw = [&](int i) {
      return uniform_pair(seed, Purpose::boot,
                          {static_cast<uint64_t>(r), 0, static_cast<uint32_t>(i)});
    };
    const double base = draw(each).first;
    for (int i = 0; i < each; ++i) {
      const double purity = 0.8 * base + 0.2 * draw(i).first;
      positions.push_back({r, purity, draw(i).second < purity});
    }
  }
  return positions;
}

TEST(PurityTable, CountsMeansAndBins) {
  const Purity p = table_of(
      {{0, 0.05, false}, {0, 0.3, true}, {2, 0.35, false}, {2, 0.999, true}, {2, 1, true}}, 4);
  EXPECT_EQ(p.records, 2);
  EXPECT_EQ(p.positions, 5);
  EXPECT_NEAR(p.purity, 2.699 / 5, 1e-12);
  EXPECT_NEAR(p.accuracy, 0.6, 1e-12);
  EXPECT_EQ(p.bins[0].count, 1);
  EXPECT_EQ(p.bins[3].count, 2);
  EXPECT_NEAR(p.bins[3].purity, 0.325, 1e-12);
  EXPECT_NEAR(p.bins[3].accuracy, 0.5, 1e-12);
  EXPECT_EQ(p.bins[9].count, 2);  // 1 belongs to the last bin
  EXPECT_EQ(p.bins[5].count, 0);
  EXPECT_TRUE(std::isnan(p.bins[5].purity));
}

TEST(PurityTable, TheCorrelationIsPearsons) {
  for (const uint64_t seed : {1, 2, 3}) {
    const auto positions = alike(20, 7, seed);
    EXPECT_NEAR(table_of(positions, 20).correlation, pearson(positions), 1e-12);
  }
  const Purity certain = table_of({{0, 0.2, false}, {1, 0.9, true}}, 2);
  EXPECT_NEAR(certain.correlation, 1, 1e-12);
  EXPECT_NEAR(certain.error, 0, 1e-7);
}

// Records of one position each: the textbook's (1 - r^2) / sqrt(n) is for normal variables; this is
// the spread itself, also where the positions of a record go together.
TEST(PurityTable, TheErrorIsTheSpreadOfRepetitions) {
  for (const int each : {1, 12}) {
    constexpr int kTimes = 300;
    double sum = 0, squares = 0, error = 0;
    for (uint64_t i = 0; i < kTimes; ++i) {
      const Purity p = table_of(alike(100, each, 50 + i), 100);
      sum += p.correlation;
      squares += p.correlation * p.correlation;
      error += p.error / kTimes;
    }
    const double spread = std::sqrt((squares - sum * sum / kTimes) / (kTimes - 1));
    EXPECT_NEAR(error / spread, 1, 0.15) << each;
  }
}

TEST(PurityTable, WithoutASpreadThereIsNoCorrelation) {
  for (const auto& positions :
       std::vector<std::vector<Position>>{{},
                                          {{0, 0.4, true}},
                                          {{0, 0.4, true}, {1, 0.4, false}},
                                          {{0, 0.4, true}, {1, 0.5, true}}}) {
    const Purity p = table_of(positions, 2);
    EXPECT_TRUE(std::isnan(p.correlation));
    EXPECT_TRUE(std::isnan(p.error));
  }
  EXPECT_TRUE(std::isnan(table_of({{0, 0.1, false}, {0, 0.8, true}, {0, 0.9, false}}, 1).error));
}

// Against the same thing done grid by grid and position by position.
TEST(Purity, IsWhatTheNetworkSaysAtMaskedPositions) {
  const auto model = tiny_model(tiny_config(2, 3, 4, 10));
  const TokenSet set = random_set(*model, 30, 5);
  PurityOptions options;
  options.seed = 8, options.batch = 7;
  const Purity got = purity_at(*model, set, 6, options);
  std::vector<Position> want;
  for (int64_t r = 0; r < 30; ++r) {
    const UniformGrid noise =
        uniform_grid(derive_seed(8, "purity"), Purpose::corrupt, {static_cast<uint64_t>(r)}, 6, 6);
    const at::Tensor x_0 = set.batch({r});
    const at::Tensor x_t = corrupt(model->schedule(), x_0, {6}, noise);
    const at::Tensor hidden = model->denoiser().hidden(x_t, at::full({1}, 5, at::kLong), {});
    const at::Tensor p = at::softmax(model->denoiser().head(hidden).to(at::kDouble), -1);
    for (int64_t l = 0; l < 6; ++l) {
      if (x_t[0][l].item<int64_t>() != 4) continue;
      want.push_back({r, p[0][l].max().item<double>(),
                      p[0][l].argmax().item<int64_t>() == x_0[0][l].item<int64_t>()});
    }
  }
  const Purity direct = table_of(want, 30);
  ASSERT_GT(want.size(), 60u);
  EXPECT_EQ(got.positions, static_cast<int64_t>(want.size()));
  EXPECT_NEAR(got.correlation, pearson(want), 1e-5);
  EXPECT_NEAR(got.error, direct.error, 1e-5);
  EXPECT_NEAR(got.purity, direct.purity, 1e-6);
  EXPECT_EQ(got.accuracy, direct.accuracy);
  for (size_t i = 0; i < got.bins.size(); ++i) EXPECT_EQ(got.bins[i].count, direct.bins[i].count);
}

TEST(Purity, DoesNotDependOnTheBatch) {
  const auto model = tiny_model(tiny_config(4, 4, 37, 20));
  const TokenSet set = random_set(*model, 23, 1);
  PurityOptions options;
  const Purity all = purity_at(*model, set, 10, options);
  for (const int64_t batch : {1, 7, 1000}) {
    options.batch = batch;
    int64_t done = 0;
    options.on_progress = [&](int64_t n) { done = n; };
    const Purity p = purity_at(*model, set, 10, options);
    EXPECT_EQ(p.correlation, all.correlation) << batch;
    EXPECT_EQ(p.error, all.error) << batch;
    EXPECT_EQ(done, 23);
  }
}

TEST(Purity, TimesOfTheFigure) {
  EXPECT_EQ(figure_times(100), (std::vector<int>{20, 50, 80}));
  EXPECT_EQ(figure_times(1000), (std::vector<int>{200, 500, 800}));
  EXPECT_EQ(figure_times(4), (std::vector<int>{1, 2, 3}));
  EXPECT_EQ(figure_times(2), (std::vector<int>{1, 2}));
  EXPECT_EQ(figure_times(1), (std::vector<int>{1}));
}

TEST(Purity, RefusesTimesThatAreNotThere) {
  const auto model = tiny_model(tiny_config(1, 2, 3, 5));
  const TokenSet set = random_set(*model, 2, 1);
  EXPECT_EQ(error_of([&] { purity_at(*model, set, 6, {}); }),
            "--timesteps: 6 is not one of the model's 1..5");
  EXPECT_NE(error_of([&] { purity_at(*model, set, 0, {}); }), "no error");
  model->parameters().get("head.linear.bias").fill_(std::nan(""));
  EXPECT_EQ(error_of([&] { purity_at(*model, set, 5, {}); }),
            "the model's guesses are not numbers");
}

}  // namespace
}  // namespace vq
