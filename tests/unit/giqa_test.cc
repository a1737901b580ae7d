#include "lib/scoring/giqa.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>

#include "temp_folder.h"

namespace vq {
namespace {

constexpr int64_t kKinds = 6, kWidth = 16;

// Pictures of six kinds, as features: `kinds` of them from the first on, `wide` times as far from
// their middles.
at::Tensor draw(int64_t count, uint64_t seed, int64_t kinds = kKinds, double wide = 1) {
  auto fixed = at::make_generator<at::CPUGeneratorImpl>(99);
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  const auto options = at::TensorOptions(at::kFloat);
  const at::Tensor middles = at::randn({kKinds, kWidth}, fixed, options) * 4;
  const at::Tensor shape = at::randn({kWidth, kWidth}, fixed, options) / 4;
  const at::Tensor noise = at::randn({count, kWidth}, generator, options).mm(shape);
  return middles.index_select(0, at::arange(count) % kinds) + noise * wide;
}

GiqaOptions options() {
  GiqaOptions how;
  how.components = kKinds;
  return how;
}

TEST(Giqa, RealPicturesAreHalfwayAndAllKindsAreThere) {
  const at::Tensor real = draw(3000, 1), fake = draw(1200, 2);
  const GiqaFit fit = fit_giqa(real, options());
  EXPECT_EQ(fit.fitted.size(0), 2400);
  EXPECT_EQ(fit.held_out.size(0), 600);
  const Quality quality = measure_quality(fit, fake);
  EXPECT_NEAR(quality.gmm_rank.value, 0.5, 0.05);
  EXPECT_NEAR(quality.knn_rank.value, 0.5, 0.05);
  EXPECT_NEAR(quality.gmm, quality.held_out_gmm, 0.5);
  EXPECT_NEAR(quality.gmm_rank.error, 0.29 / std::sqrt(1200.0), 0.002);
  const Diversity diversity = measure_diversity(fit, real, fake, options());
  EXPECT_GT(diversity.value.value, 0.97);
  EXPECT_NEAR(diversity.swapped_rank.value, 0.5, 0.07);
}

TEST(Giqa, LeavingKindsOutLowersDiversityAndLeavesQuality) {
  const at::Tensor real = draw(3000, 1), fake = draw(1200, 2, kKinds / 2);
  const GiqaFit fit = fit_giqa(real, options());
  EXPECT_NEAR(measure_quality(fit, fake).gmm_rank.value, 0.5, 0.06);
  const Diversity diversity = measure_diversity(fit, real, fake, options());
  EXPECT_NEAR(diversity.value.value, 0.5, 0.03);
  EXPECT_LT(diversity.value.error, 0.03);
  EXPECT_LT(diversity.swapped_rank.value, 0.4);
  EXPECT_NEAR(diversity.real_shares.sum().item<double>(), 1, 1e-6);
}

// Six kinds, each denser than the one before.
at::Tensor draw_uneven(int64_t count, uint64_t seed, int64_t first, int64_t kinds) {
  auto fixed = at::make_generator<at::CPUGeneratorImpl>(99);
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  const auto options = at::TensorOptions(at::kFloat);
  const at::Tensor middles = at::randn({kKinds, kWidth}, fixed, options) * 4;
  const at::Tensor kind = first + at::arange(count) % kinds;
  const at::Tensor wide = at::pow(at::full({1}, 0.8), kind).unsqueeze(1);
  return middles.index_select(0, kind) + at::randn({count, kWidth}, generator, options) * wide;
}

TEST(Giqa, TheRankAmongTheSameKindDoesNotAskWhichKindsAreLeft) {
  const GiqaFit fit = fit_giqa(draw_uneven(6000, 1, 0, kKinds), options());
  const Quality sparse = measure_quality(fit, draw_uneven(1200, 2, 0, kKinds / 2));
  const Quality dense = measure_quality(fit, draw_uneven(1200, 3, kKinds / 2, kKinds / 2));
  EXPECT_LT(sparse.gmm_among_all.value, 0.35);
  EXPECT_GT(dense.gmm_among_all.value, 0.65);
  EXPECT_LT(sparse.knn_among_all.value, 0.35);
  EXPECT_GT(dense.knn_among_all.value, 0.65);
  for (const Quality& quality : {sparse, dense}) {
    EXPECT_NEAR(quality.gmm_rank.value, 0.5, 0.05);
    EXPECT_NEAR(quality.knn_rank.value, 0.5, 0.05);
  }
}

TEST(ScoresByKind, RanksAreSharesOfWhatIsLower) {
  const at::Tensor held_out = at::tensor({5.0, 1.0, 3.0, 3.0}, at::kDouble);
  const at::Tensor kinds =
      at::tensor({1.0, 0.0, 0.0, 1.0, 0.25, 0.75, 1.0, 0.0}, at::kDouble).view({4, 2});
  const at::Tensor scores = at::tensor({3.0, 6.0, 0.0, 4.0}, at::kDouble);
  const at::Tensor own =
      at::tensor({0.5, 0.5, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0}, at::kDouble).view({4, 2});
  const ScoresByKind ranked(held_out, kinds);
  const at::Tensor all = ranked.rank_among_all(scores);
  const at::Tensor same = ranked.rank_among_kind(scores, own);
  for (int64_t i = 0; i < 4; ++i) {
    double expected_all = 0, expected = 0;
    const auto lower = [&](int64_t h) {
      const double a = held_out[h].item<double>(), b = scores[i].item<double>();
      return a < b ? 1.0 : a == b ? 0.5 : 0.0;
    };
    for (int64_t h = 0; h < 4; ++h) expected_all += lower(h) / 4;
    for (int64_t m = 0; m < 2; ++m) {
      double below = expected_all, count = 1;
      for (int64_t h = 0; h < 4; ++h) {
        below += kinds[h][m].item<double>() * lower(h);
        count += kinds[h][m].item<double>();
      }
      expected += own[i][m].item<double>() * below / count;
    }
    EXPECT_NEAR(all[i].item<double>(), expected_all, 1e-12);
    EXPECT_NEAR(same[i].item<double>(), expected, 1e-12);
  }
}

TEST(ScoresByKind, AKindThatWasNotHeldOutRanksAmongAll) {
  const ScoresByKind ranked(at::tensor({1.0, 2.0}, at::kDouble),
                            at::tensor({1.0, 0.0, 1.0, 0.0}, at::kDouble).view({2, 2}));
  const at::Tensor rank = ranked.rank_among_kind(at::tensor({1.5}, at::kDouble),
                                                 at::tensor({0.0, 1.0}, at::kDouble).view({1, 2}));
  EXPECT_DOUBLE_EQ(rank.item<double>(), 0.5);
}

TEST(Giqa, BlurOrNoiseLowersQualityAndLeavesDiversity) {
  const at::Tensor real = draw(3000, 1), fake = draw(1200, 2, kKinds, 1.6);
  const GiqaFit fit = fit_giqa(real, options());
  const Quality quality = measure_quality(fit, fake);
  EXPECT_LT(quality.gmm_rank.value, 0.25);
  EXPECT_LT(quality.knn_rank.value, 0.35);
  EXPECT_LT(quality.gmm, quality.held_out_gmm);
  EXPECT_GT(measure_diversity(fit, real, fake, options()).value.value, 0.95);
}

TEST(KnnScores, AreSumsOfInverseDistances) {
  const at::Tensor fitted = at::tensor({0.0, 1.0, 5.0}).view({3, 1});
  const at::Tensor rows = at::tensor({2.0}).view({1, 1});
  EXPECT_NEAR(knn_scores(rows, fitted, 2)[0].item<double>(), 1.0 + 1.0 / 2, 1e-5);
}

TEST(Giqa, RefusesTooFew) {
  EXPECT_NE(error_of([] { fit_giqa(draw(20, 1), options()); }).find("too few pictures: 20"),
            std::string::npos);
}

}  // namespace
}  // namespace vq
