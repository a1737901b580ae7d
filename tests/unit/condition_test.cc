#include "lib/condition/condition.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "formats/error.h"
#include "tests/unit/clip_model.h"

namespace vq {
namespace {

using testing::fill_tower;
using testing::tiny_clip_condition;
using testing::tiny_clip_tokenizer;

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

TEST(Condition, ClipCaptionsWithALearnedNull) {
  Parameters p(1);
  const Condition c(p, tiny_clip_condition(), tiny_clip_tokenizer());
  fill_tower(p);
  EXPECT_EQ(p.trainable().size(), 1u);  // the null; the tower is frozen
  const auto ids = c.prepare_caption("Red CAT"), null = c.prepare_null();
  EXPECT_EQ(ids, (std::vector<int64_t>{518, 517, 513, 519, 0, 0, 0}));
  EXPECT_EQ(null, std::vector<int64_t>(7, -1));
  const Features f = c(at::stack({at::tensor(ids), at::tensor(null), at::tensor(ids)}));
  EXPECT_EQ(f.context.sizes(), (at::IntArrayRef{3, 7, 16}));
  EXPECT_TRUE(at::allclose(f.context[0].norm(2, {-1}), at::ones({7})));
  EXPECT_TRUE(at::equal(f.context[1], p.get("condition.null")));
  EXPECT_TRUE(at::equal(f.context[2], f.context[0]));
  EXPECT_TRUE(at::equal(c.null(2).context[1], p.get("condition.null")));
}

TEST(Condition, ClipCaptionsWhoseNullIsTheEmptyCaption) {
  const at::NoGradGuard no_grad;
  Parameters p(1);
  const Condition c(p, tiny_clip_condition(NullKind::empty), tiny_clip_tokenizer());
  fill_tower(p);
  EXPECT_FALSE(p.contains("condition.null"));
  const auto null = c.prepare_null();
  EXPECT_EQ(null, (std::vector<int64_t>{518, 519, 0, 0, 0, 0, 0}));
  const at::Tensor cat = at::tensor(c.prepare_caption("cat"));
  const at::Tensor dog = at::tensor(c.prepare_caption("red dog"));
  const Features f = c(at::stack({cat, at::tensor(null), cat, dog}));
  EXPECT_TRUE(at::equal(f.context[1], c.null(3).context[2]));
  EXPECT_TRUE(at::equal(f.context[3], c(dog.unsqueeze(0)).context[0]));
  EXPECT_FALSE(at::allclose(f.context[1], f.context[0]));
  EXPECT_TRUE(at::equal(f.context[0], c(cat.unsqueeze(0)).context[0]));
}

TEST(Condition, ATokenizerMustFitItsReader) {
  Parameters p(1), q(1), r(1);
  EXPECT_THROW(Condition(p, tiny_clip_condition(), Vocabulary::train({"a red ring"}, 40)), Error);
  ConditionConfig trained;
  trained.kind = ConditionKind::caption;
  EXPECT_THROW(Condition(q, trained, tiny_clip_tokenizer()), Error);
  ConditionConfig other = tiny_clip_condition();
  other.clip.vocabulary = 521;
  EXPECT_THROW(Condition(r, other, tiny_clip_tokenizer()), Error);
}

TEST(Condition, TheConfigurationSaysWhoReads) {
  ConditionConfig clip = tiny_clip_condition(NullKind::empty);
  clip.clip_ids = {ClipTooLong::lose_end, ClipExclamation::padding};
  const Json json = clip.to_json();
  EXPECT_EQ(ConditionConfig::from_json(json, "here").to_json(), json);
  EXPECT_EQ(json.at("text").at("kind"), "clip");
  EXPECT_EQ(json.at("null"), "empty");
  for (const char* member : {"too_long", "exclamation", "precision", "inner"}) {
    Json fewer = json;
    fewer["text"].erase(member);
    EXPECT_THROW(ConditionConfig::from_json(fewer, "here"), Error) << member;
  }
  Json wrong = json;
  wrong["null"] = "zero";
  EXPECT_THROW(ConditionConfig::from_json(wrong, "here"), Error);
  wrong = json;
  wrong["text"]["kind"] = "t5";
  EXPECT_THROW(ConditionConfig::from_json(wrong, "here"), Error);
  // Files from before there was a choice say nothing.
  const Json old = {
      {"kind", "caption"},
      {"text", {{"layers", 3}, {"width", 64}, {"heads", 2}, {"vocabulary", 9}, {"length", 5}}}};
  EXPECT_EQ(ConditionConfig::from_json(old, "here").text_kind, TextKind::trained);
  EXPECT_EQ(ConditionConfig::from_json(old, "here").to_json(), old);
}

}  // namespace
}  // namespace vq
