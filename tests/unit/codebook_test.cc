#include "lib/codec/codebook.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/unit/temp_folder.h"

namespace vq {
namespace {

int64_t nearest_by_hand(const at::Tensor& row, const at::Tensor& codes) {
  int64_t best = 0;
  double best_distance = 1e300;
  for (int64_t k = 0; k < codes.size(0); ++k) {
    const double d = (row - codes[k]).to(at::kDouble).pow(2).sum().item<double>();
    if (d < best_distance) best_distance = d, best = k;
  }
  return best;
}

TEST(Codebook, NearestCodeByBruteForce) {
  auto z = at::randn({50, 7}), codes = at::randn({33, 7});
  auto index = nearest_code(z, codes);
  for (int64_t i = 0; i < 50; ++i) {
    EXPECT_EQ(index[i].item<int64_t>(), nearest_by_hand(z[i], codes)) << i;
  }
}

TEST(Codebook, NearestCodeDoesNotDependOnTheBatch) {
  auto z = at::randn({9000, 16}), codes = at::randn({256, 16});
  auto all = nearest_code(z, codes);
  for (int64_t rows : {1, 3, 16, 100, 5000}) {
    EXPECT_TRUE(nearest_code(z.narrow(0, 7, rows), codes).equal(all.narrow(0, 7, rows))) << rows;
  }
}

TEST(Codebook, CodesAreDrawnAsOftenAsTheirScoresSay) {
  constexpr int64_t kDraws = 20000;
  const at::Tensor p = at::tensor({0.5, 0.0, 0.2, 0.299, 0.001}, at::kDouble);
  const at::Tensor scores = p.log().to(at::kFloat).unsqueeze(0).expand({kDraws, 5});
  // Evenly spaced numbers: every share is exact to one draw.
  const at::Tensor even = (at::arange(kDraws, at::kDouble) + 0.5) / kDraws;
  const at::Tensor counts = count_codes(draw_code(scores, even), 5).to(at::kDouble);
  EXPECT_LE((counts - p * kDraws).abs().max().item<double>(), 1) << counts;
  EXPECT_EQ(counts[1].item<double>(), 0);
  const at::Tensor ends = at::tensor({1e-15, 1 - 1e-15}, at::kDouble);
  EXPECT_TRUE(draw_code(scores.narrow(0, 0, 2), ends).equal(at::tensor({0, 4}, at::kLong)));
}

TEST(Codebook, GradientGoesStraightThrough) {
  auto z = at::randn({20, 4}).requires_grad_(true);
  auto codes = at::randn({8, 4});
  const Quantised q = quantise(z, codes);
  EXPECT_TRUE(at::allclose(q.vectors.detach(), codes.index_select(0, q.index), 0, 1e-6));
  auto weight = at::randn({20, 4});
  (q.vectors * weight).sum().backward();
  EXPECT_TRUE(z.grad().equal(weight));
}

TEST(Codebook, DistancePullsVectorsToTheirCodes) {
  auto z = at::randn({20, 4}).requires_grad_(true);
  auto codes = at::randn({8, 4});
  const Quantised q = quantise(z, codes);
  q.distance.backward();
  auto expected = 2 * (z.detach() - codes.index_select(0, q.index)) / 80;
  EXPECT_TRUE(at::allclose(z.grad(), expected, 1e-5, 1e-7));
}

TEST(Codebook, KMeansFindsSeparatedClusters) {
  auto centres = at::tensor({-10.f, 0.f, 10.f, 20.f}).view({4, 1}).expand({4, 3});
  auto z = centres.repeat({50, 1}) + 0.1 * at::randn({200, 3});
  auto found = k_means(z, 4, 10, 5);
  // Random starts may share a cluster; every row must still be near some centre of its own kind.
  auto distance = (z - found.index_select(0, nearest_code(z, found))).pow(2).sum(1);
  const double spread = (z - z.mean(0)).pow(2).sum(1).mean().item<double>();
  EXPECT_LT(distance.mean().item<double>(), 0.25 * spread);
  EXPECT_TRUE(k_means(z, 4, 10, 5).equal(found)) << "a function of the seed";
}

// One dimension, small enough to try every split: Lloyd's end is a fixed point.
TEST(Codebook, KMeansEndsWhereEachCentreIsTheMeanOfItsRows) {
  auto z = at::randn({64, 2});
  auto centres = k_means(z, 5, 50, 1);
  auto index = nearest_code(z, centres);
  for (int64_t k = 0; k < 5; ++k) {
    auto mine = z.index({index == k});
    ASSERT_GT(mine.size(0), 0);
    EXPECT_TRUE(at::allclose(centres[k], mine.mean(0), 1e-4, 1e-5));
  }
}

TEST(Codebook, KMeansWithFewerRowsThanCodes) {
  EXPECT_EQ(k_means(at::randn({5, 3}), 9, 3, 0).size(0), 9);
}

TEST(Codebook, MovingAverageByHand) {
  auto codes = at::tensor({0.f, 10.f}).view({2, 1});
  CodebookLearner learner(codes, {.decay = 0.9, .restart_after = 0});
  auto z = at::tensor({1.f, 3.f, 8.f}).view({3, 1});
  learner.update(z, nearest_code(z, codes), false, 0, 0);
  // count 0: .9*1 + .1*2 = 1.1, sum .9*0 + .1*4 = .4;  count 1: 1, sum .9*10 + .1*8 = 9.8
  EXPECT_NEAR(codes[0].item<double>(), 0.4 / 1.1, 1e-6);
  EXPECT_NEAR(codes[1].item<double>(), 9.8, 1e-5);
}

TEST(Codebook, IdleCodesAreRestartedOnBadlyServedVectors) {
  auto codes = at::tensor({0.f, 1000.f}).view({2, 1});
  CodebookLearner learner(codes, {.decay = 0.9, .restart_after = 3});
  auto z = at::zeros({20, 1});
  z[13] = 50;
  for (int64_t step = 0; step < 2; ++step) {
    EXPECT_EQ(learner.update(z, nearest_code(z, codes), true, 1, step), 0);
  }
  EXPECT_EQ(learner.codes_used(), 2);
  EXPECT_EQ(learner.update(z, at::zeros({20}, at::kLong), true, 1, 2), 1);
  EXPECT_NEAR(codes[1].item<double>(), 50, 1e-4) << "the vector that its own code serves worst";
}

TEST(Codebook, StatisticsComeFromCounts) {
  auto counts = count_codes(at::tensor({2, 2, 2, 0, 0, 4}, at::kLong), 6);
  EXPECT_TRUE(counts.equal(at::tensor({2, 0, 3, 0, 1, 0}, at::kLong)));
  EXPECT_TRUE(codes_by_use(counts).equal(at::tensor({2, 0, 4}, at::kLong)));
  EXPECT_NEAR(code_perplexity(at::tensor({5, 5, 0, 5, 5}, at::kLong)), 4, 1e-9);
}

TEST(Codebook, IdentityFollowsTheBytes) {
  auto codes = at::arange(6, at::kFloat).view({2, 3});
  const std::string identity = codebook_identity(codes);
  EXPECT_EQ(identity.size(), 64u);
  EXPECT_EQ(codebook_identity(codes.t().contiguous().t()), identity);
  codes[1][2] += 1e-6;
  EXPECT_NE(codebook_identity(codes), identity);
}

TEST(Codebook, StateGoesOnWhereItStopped) {
  TempFolder folder;
  auto codes = at::randn({8, 3}), z = at::randn({40, 3});
  CodebookLearner learner(codes, {});
  learner.start(z, 2);
  learner.update(z, nearest_code(z, codes), true, 2, 1);
  save_model(folder / "state", "test", Json::object(), Json::array(), learner.state(), true);
  auto codes_again = codes.clone();
  CodebookLearner again(codes_again, {});
  EXPECT_FALSE(again.started());
  again.load_state(SafetensorsFile(folder / "state"));
  EXPECT_TRUE(again.started());
  for (CodebookLearner* l : {&learner, &again}) {
    auto& c = l == &learner ? codes : codes_again;
    l->update(z, nearest_code(z, c), true, 2, 2);
  }
  EXPECT_TRUE(codes_again.equal(codes));
}

}  // namespace
}  // namespace vq
