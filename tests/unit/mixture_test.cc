#include "lib/scoring/mixture.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "temp_folder.h"

namespace vq {
namespace {

double noise(double k) {
  const double v = std::sin(k * 12.9898 + 0.5) * 43758.5453;
  return v - std::floor(v);
}

// The rows that the expected numbers below were computed of.
at::Tensor rows() {
  at::Tensor x = at::empty({60, 4}, at::kDouble);
  auto to = x.accessor<double, 2>();
  for (int i = 0; i < 60; ++i) {
    for (int j = 0; j < 4; ++j) {
      const double k = 4 * i + j;
      to[i][j] = (noise(k) + noise(k + 1000) + noise(k + 2000) - 1.5) * (1 + 0.3 * j) +
                 (j == 0 ? i % 3 : 0) - (j == 1 && i % 3 == 1 ? 0.7 : 0);
    }
  }
  return x;
}

at::Tensor by_turns(int64_t count, int64_t components) {
  return at::one_hot(at::arange(count) % components, components).to(at::kDouble);
}

// scikit-learn 1.9.1, GaussianMixture(3) with weights, means and precisions of the same start.
TEST(Mixture, EqualsScikitLearnFromTheSameStart) {
  MixtureOptions options;
  options.components = 3;
  const MixtureFit fit = improve(rows(), maximise(rows(), by_turns(60, 3), 1e-6), options);
  EXPECT_TRUE(fit.converged);
  EXPECT_EQ(fit.rounds, 19);
  EXPECT_NEAR(fit.mean_log_likelihood, -4.266272750749047, 1e-6);
  const double weights[] = {0.3000977341, 0.2010398142, 0.4988624517};
  const double means[] = {-0.07257526501, -0.1848807573,  0.2292967081,   -0.09102738645,
                          1.137161949,    -0.7574129916,  -0.09928004985, 0.4030124556,
                          1.692537245,    -0.03798006074, 0.1382776495,   -0.4215684316};
  const double variances[] = {0.1736007437, 0.3604509651, 0.6730030271, 0.6081087022};
  for (int m = 0; m < 3; ++m) {
    EXPECT_NEAR(fit.mixture.weights[m].item<double>(), weights[m], 1e-6);
    for (int j = 0; j < 4; ++j) {
      EXPECT_NEAR(fit.mixture.means[m][j].item<double>(), means[4 * m + j], 1e-6);
    }
  }
  for (int j = 0; j < 4; ++j) {
    EXPECT_NEAR(fit.mixture.covariances[0][j][j].item<double>(), variances[j], 1e-6);
  }
  const at::Tensor scores = fit.mixture.log_likelihood(rows());
  EXPECT_NEAR(scores.mean().item<double>(), -4.266060243, 1e-6);
  const double first[] = {-3.927705171, -4.574196489, -4.515122182, -4.461317692};
  for (int i = 0; i < 4; ++i) EXPECT_NEAR(scores[i].item<double>(), first[i], 1e-6);
}

// scikit-learn 1.9.1, PCA(0.8).
TEST(PrincipalComponents, EqualScikitLearn) {
  const PrincipalComponents space = principal_components(rows(), 0.8);
  EXPECT_EQ(space.directions.sizes(), (at::IntArrayRef{4, 3}));
  EXPECT_NEAR(space.explained, 0.8648552313, 1e-9);
  const double seventh[] = {0.9639018207, 0.1109827344, 0.4396651936};
  for (int j = 0; j < 3; ++j) {
    EXPECT_NEAR(std::abs(space.project(rows())[7][j].item<double>()), seventh[j], 1e-8);
  }
  EXPECT_EQ(principal_components(rows(), 1.0).directions.size(1), 4);
  EXPECT_EQ(principal_components(rows(), 0.0).directions.size(1), 1);
  EXPECT_EQ(principal_components(at::randn({3, 10}, at::kDouble), 1.0).directions.size(1), 2);
}

TEST(Mixture, LikelihoodNeverFalls) {
  Mixture mixture = maximise(rows(), by_turns(60, 4), 0);
  double last = mixture.log_likelihood(rows()).mean().item<double>();
  for (int i = 0; i < 12; ++i) {
    mixture = maximise(rows(), mixture.responsibilities(rows()), 0);
    const double now = mixture.log_likelihood(rows()).mean().item<double>();
    EXPECT_GE(now, last - 1e-9);
    last = now;
  }
}

TEST(Mixture, OfOneIsTheNormalDistribution) {
  const at::Tensor x = rows();
  const Mixture mixture = maximise(x, at::ones({60, 1}, at::kDouble), 0);
  EXPECT_TRUE(at::allclose(mixture.means[0], x.mean(0)));
  const at::Tensor y = x[5] - x.mean(0);
  const at::Tensor covariance = (x - x.mean(0)).t().mm(x - x.mean(0)) / 60;
  const double expected =
      -0.5 * (y.dot(at::linalg_inv(covariance).mv(y)).item<double>() +
              std::log(at::linalg_det(covariance).item<double>()) + 4 * std::log(2 * M_PI));
  EXPECT_NEAR(mixture.log_likelihood(x)[5].item<double>(), expected, 1e-9);
  EXPECT_TRUE(at::allclose(mixture.responsibilities(x), at::ones({60, 1}, at::kDouble)));
}

TEST(FitMixture, FindsGroupsThatAreThere) {
  const at::Tensor centre = at::arange(300) % 3;
  const at::Tensor x = at::randn({300, 2}, at::kDouble) + centre.unsqueeze(1) * 20;
  MixtureOptions options;
  options.components = 3;
  const MixtureFit fit = fit_mixture(x, options);
  const auto means = std::get<0>(fit.mixture.means.select(1, 0).sort());
  for (int m = 0; m < 3; ++m) {
    EXPECT_NEAR(means[m].item<double>(), 20 * m, 0.5);
    EXPECT_NEAR(fit.mixture.weights[m].item<double>(), 1.0 / 3, 1e-3);
  }
  EXPECT_NE(error_of([&] { fit_mixture(x.narrow(0, 0, 2), options); }).find("too few pictures: 2"),
            std::string::npos);
}

}  // namespace
}  // namespace vq
