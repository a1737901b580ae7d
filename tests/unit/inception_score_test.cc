#include "lib/scoring/inception_score.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "temp_folder.h"

namespace vq {
namespace {

TEST(InceptionScore, IsOneWhereAllAreAlike) {
  InceptionScore score;
  score.add(at::randn({1, 7}).repeat({40, 1}));
  EXPECT_NEAR(score.finish().value, 1, 1e-9);
  EXPECT_NEAR(score.finish().error, 0, 1e-9);
}

TEST(InceptionScore, CountsClassesThatAreTold) {
  InceptionScore score(2);
  score.add((at::one_hot(at::arange(40, at::kLong).div(2, "floor") % 5, 8) * 100).to(at::kFloat));
  EXPECT_NEAR(score.finish().value, 5, 1e-6);
}

TEST(InceptionScore, IsItsFormulaForAnyBatches) {
  const at::Tensor logits = at::randn({34, 5}) * 2;
  InceptionScore one(3), many(3);
  one.add(logits);
  for (const at::Tensor& part : logits.split(7)) many.add(part);
  EXPECT_EQ(one.finish().value, many.finish().value);
  const at::Tensor p = at::softmax(logits.to(at::kDouble), 1);
  std::vector<double> scores;
  for (int64_t s = 0; s < 3; ++s) {
    std::vector<at::Tensor> rows;
    for (int64_t i = s; i < 34; i += 3) rows.push_back(p[i]);
    const at::Tensor part = at::stack(rows), mean = part.mean(0);
    scores.push_back(std::exp((part * (part / mean).log()).sum(1).mean().item<double>()));
  }
  const double mean = (scores[0] + scores[1] + scores[2]) / 3;
  double variance = 0;
  for (const double s : scores) variance += (s - mean) * (s - mean) / 3;
  const InceptionScore::Result result = one.finish();
  EXPECT_NEAR(result.value, mean, 1e-9);
  EXPECT_NEAR(result.deviation, std::sqrt(variance), 1e-9);
  EXPECT_NEAR(result.error, std::sqrt(variance / 2), 1e-9);
}

TEST(InceptionScore, RefusesFewerPicturesThanSplits) {
  InceptionScore score;
  score.add(at::zeros({9, 3}));
  EXPECT_NE(error_of([&] { score.finish(); }).find("too few pictures: 9"), std::string::npos);
}

}  // namespace
}  // namespace vq
