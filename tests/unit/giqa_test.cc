#include "lib/scoring/giqa.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>

#include "temp_folder.h"

namespace vq {
namespace {

constexpr int64_t kKinds = 6, kWidth = 16;

// Pictures of six kinds, as features: `kinds` of them, `wide` times as far from their middles.
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
