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
  Prompt cat;
  cat.text = "cat";
  std::vector<Job> both, one;
  for (const uint64_t number : {7, 3})
    both.push_back(make_job(model->condition(), cat, 1, number, 0, 1));
  one.push_back(make_job(model->condition(), cat, 1, 3, 0, 1));
  JobOptions options;
  options.sampler.seed = 1;
  sample_jobs(*model, options, both);
  sample_jobs(*model, options, one);
  EXPECT_EQ(both[1].record.tokens, one[0].record.tokens);
  EXPECT_EQ(one[0].record.tokens.size(), 4u);
  std::vector<Job> none;
  sample_jobs(*model, options, none);
}

std::vector<Job> cats(const DiffusionModel& model, int count) {
  Prompt cat;
  cat.text = "cat";
  std::vector<Job> jobs;
  for (int i = 0; i < count; ++i)
    jobs.push_back(make_job(model.condition(), cat, 1, static_cast<uint64_t>(i), 0, 1));
  return jobs;
}

TEST(Jobs, StartFromTheirTokensAndKeepWhatIsNotFree) {
  const auto model = label_model();
  std::vector<Job> jobs = cats(*model, 3);
  for (Job& job : jobs) job.record.tokens = {0, 1, 5, 3};  // 5 is [mask]
  JobOptions options;
  options.free = {false, true, false, false};
  int steps = 0;
  options.each_step = [&](int, const Job&, const std::vector<int32_t>& tokens) {
    ++steps;
    EXPECT_EQ(tokens[0], 0);
    EXPECT_EQ(tokens[3], 3);
  };
  sample_jobs(*model, options, jobs);
  EXPECT_EQ(steps, 3 * 4);
  for (const Job& job : jobs) {
    EXPECT_EQ(job.record.tokens[0], 0);
    EXPECT_EQ(job.record.tokens[3], 3);
    EXPECT_LT(job.record.tokens[2], 5);
  }
}

TEST(Jobs, MakeACanvasAroundTheirTokens) {
  const auto model = label_model();
  JobOptions options;
  const Area own = {0, 0, 2, 2}, given = {2, 1, 2, 2};
  options.canvas = {5, 3, given, plan_windows(5, 3, own, 1, given)};
  std::vector<Job> jobs = cats(*model, 2);
  for (Job& job : jobs) job.record.tokens = {0, 1, 2, 3};
  sample_jobs(*model, options, jobs);
  for (const Job& job : jobs) {
    const auto& t = job.record.tokens;
    ASSERT_EQ(t.size(), 15u);
    EXPECT_EQ(std::vector<int32_t>({t[7], t[8], t[10], t[11]}), std::vector<int32_t>({0, 1, 2, 3}));
    for (const int32_t token : t) EXPECT_LT(token, 5);
  }
  // From nothing, and with freed cells.
  options.canvas = {5, 3, {}, plan_windows(5, 3, own, 1, {})};
  std::vector<Job> empty = cats(*model, 1);
  sample_jobs(*model, options, empty);
  EXPECT_EQ(empty[0].record.tokens.size(), 15u);
}

TEST(Jobs, ThePromptOfARecordIsItsClassOrItsFirstCaption) {
  const auto labels = label_model();
  TokenRecord record;
  record.key = "a", record.more = Json::parse(R"({"label":1,"captions":["x","y"]})");
  EXPECT_EQ(prompt_of(record, labels->condition()).text, "1");
  EXPECT_TRUE(prompt_of(record, labels->condition()).is_label);
  record.more.erase("label");
  EXPECT_EQ(prompt_of(record, labels->condition()).text, "x");
  record.more = Json::object();
  EXPECT_EQ(prompt_of(record, labels->condition()).text, "");
  for (const char* odd : {R"({"caption":5})", R"({"captions":[["x"]]})"}) {
    record.more = Json::parse(odd);
    EXPECT_THROW(prompt_of(record, labels->condition()), Error) << odd;
  }
  record.more = Json::parse(R"({"captions":{"a":"x"}})");
  EXPECT_EQ(prompt_of(record, labels->condition()).text, "");
}

}  // namespace
}  // namespace vq
