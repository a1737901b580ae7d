#include "lib/sampling/jobs.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "formats/error.h"
#include "tests/unit/tiny_model.h"

namespace vq {
namespace {

using testing::tiny_config;
using testing::tiny_model;

std::unique_ptr<DiffusionModel> label_model() {
  DiffusionModelConfig config = tiny_config(2, 2, 5, 4);
  config.condition.kind = ConditionKind::label;
  config.condition.classes = {"cat", "dog"};
  return tiny_model(config);
}

TEST(Jobs, RecordsSayWhatWasAskedOfThem) {
  const auto model = label_model();
  Prompt prompt;
  prompt.text = "dog", prompt.more["note"] = 1;
  const Job plain = make_job(model->condition(), prompt, 9, 41, 0, 3);
  EXPECT_EQ(plain.record.key, "000041");
  EXPECT_EQ(dump_json(plain.record.more), R"({"caption":"dog","label":1,"seed":9,"note":1})");
  prompt.key = "rex";
  EXPECT_EQ(make_job(model->condition(), prompt, 9, 41, 2, 3).record.key, "rex-2");
  EXPECT_EQ(make_job(model->condition(), prompt, 9, 41, 0, 1).record.key, "rex");
  prompt.text = "bird";
  EXPECT_THROW(make_job(model->condition(), prompt, 9, 41, 0, 1), Error);
}

TEST(Jobs, TokensAreThoseOfTheRecordNumber) {
  const auto model = label_model();
  std::vector<Job> both, one;
  for (const uint64_t number : {7, 3})
    both.push_back(make_job(model->condition(), {.text = "cat"}, 1, number, 0, 1));
  one.push_back(make_job(model->condition(), {.text = "cat"}, 1, 3, 0, 1));
  SamplerOptions options;
  options.seed = 1;
  sample_jobs(*model, options, both);
  sample_jobs(*model, options, one);
  EXPECT_EQ(both[1].record.tokens, one[0].record.tokens);
  EXPECT_EQ(one[0].record.tokens.size(), 4u);
  std::vector<Job> none;
  sample_jobs(*model, options, none);
}

}  // namespace
}  // namespace vq
