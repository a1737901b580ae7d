#include "lib/condition/condition.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "formats/error.h"

namespace vq {
namespace {

Condition caption_condition(Parameters& p) {
  ConditionConfig config;
  config.kind = ConditionKind::caption;
  config.text = {1, 32, 2, 0, 7};
  return Condition(p, config, Vocabulary::train({"a red ring", "a blue star", "a red star"}, 40));
}

TEST(Condition, CaptionsBecomeFeaturesAndTheNullTakesTheirPlace) {
  Parameters p(1);
  const Condition c = caption_condition(p);
  const auto ids = c.prepare_caption("a red star"), null = c.prepare_null();
  at::Tensor prepared = at::stack({at::tensor(ids, at::kLong), at::tensor(null, at::kLong)});
  const Features f = c(prepared);
  EXPECT_EQ(f.context.sizes(), (at::IntArrayRef{2, 7, 32}));
  EXPECT_TRUE(at::equal(f.context[1], p.get("condition.null")));
  EXPECT_FALSE(at::allclose(f.context[0], f.context[1]));
  EXPECT_TRUE(at::equal(c.null(2).context[1], p.get("condition.null")));
  // Dropping a condition teaches the null and not the encoder.
  c(prepared.narrow(0, 1, 1)).context.sum().backward();
  EXPECT_GT(p.get("condition.null").grad().abs().sum().item<float>(), 0);
}

// As in sampling, where no gradient is wanted: training takes faster ways that do not promise it.
TEST(Condition, FeaturesOfACaptionDoNotDependOnItsBatch) {
  const at::NoGradGuard no_grad;
  Parameters p(1);
  const Condition c = caption_condition(p);
  const at::Tensor one = at::tensor(c.prepare_caption("a red star"), at::kLong).unsqueeze(0);
  const at::Tensor other = at::tensor(c.prepare_caption("a blue star"), at::kLong).unsqueeze(0);
  EXPECT_TRUE(at::equal(c(at::cat({other, one, other})).context[1], c(one).context[0]));
}

TEST(Condition, ClassesByNameAndNumber) {
  Parameters p(1);
  ConditionConfig config;
  config.kind = ConditionKind::label;
  config.classes = {"cat", "dog", "7"};
  const Condition c(p, config, std::nullopt);
  EXPECT_EQ(c.parse_label("dog"), 1);
  EXPECT_EQ(c.parse_label("0"), 0);
  EXPECT_EQ(c.parse_label("7"), 2);  // a name comes before a number
  for (const char* wrong : {"3", "-1", "bird", "", "1x"})
    EXPECT_THROW(c.parse_label(wrong), Error) << wrong;
  EXPECT_THROW(c.prepare_label(3), Error);
  const Features f = c(at::tensor({0, -1, 2}, at::kLong).unsqueeze(1));
  EXPECT_TRUE(at::equal(f.label, at::tensor({0, 3, 2}, at::kLong)));
  EXPECT_TRUE(at::equal(c.null(1).label, at::tensor({3}, at::kLong)));
}

TEST(Condition, ConfigurationTravelsAsJson) {
  ConditionConfig config;
  config.kind = ConditionKind::caption;
  config.text = {3, 64, 2, 99, 11};
  EXPECT_EQ(ConditionConfig::from_json(config.to_json(), "here").to_json(), config.to_json());
  EXPECT_THROW(ConditionConfig::from_json({{"kind", "colour"}}, "here"), Error);
  EXPECT_THROW(ConditionConfig::from_json({{"kind", "caption"}}, "here"), Error);
}

}  // namespace
}  // namespace vq
