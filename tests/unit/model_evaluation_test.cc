#include "lib/scoring/model_evaluation.h"

#include <gtest/gtest.h>

#include "tests/unit/temp_folder.h"
#include "tests/unit/tiny_model.h"
#include "tests/unit/tiny_set.h"

namespace vq {
namespace {

using testing::random_set;
using testing::tiny_config;
using testing::tiny_model;

std::vector<std::string> names(const Json& line) {
  std::vector<std::string> list;
  for (const auto& [name, value] : line.items()) list.push_back(name);
  return list;
}

TEST(EvaluateModel, OneLineOfBitsAndOneOfPurityATime) {
  const auto model = tiny_model(tiny_config(2, 2, 5, 10));
  const TokenSet set = random_set(*model, 12, 1);
  ModelEvaluationOptions options;
  options.metrics = {"bits", "purity"}, options.seed = 7, options.draws = 3, options.batch = 5;
  int64_t done = 0;
  options.on_progress = [&](int64_t n) {
    EXPECT_GT(n, done);
    done = n;
  };
  const auto lines = evaluate_model(*model, set, options);
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_EQ(done, 12 * (3 + 3));
  EXPECT_EQ(done, evaluation_grids(*model, set, options));

  EXPECT_EQ(names(lines[0]), (std::vector<std::string>{"metric", "value", "error", "records",
                                                       "draws", "network", "network_id", "seed"}));
  EXPECT_EQ(lines[0]["metric"], "bits");
  EXPECT_EQ(lines[0]["records"], 12);
  EXPECT_EQ(lines[0]["draws"], 3);
  EXPECT_EQ(lines[0]["network_id"], model->identity());
  EXPECT_EQ(lines[0]["seed"], 7);
  EXPECT_GT(lines[0]["value"].get<double>(), 0);

  for (size_t i = 1; i < 4; ++i) {
    EXPECT_EQ(names(lines[i]),
              (std::vector<std::string>{"metric", "value", "error", "timestep", "records",
                                        "positions", "mean_purity", "mean_accuracy", "bins",
                                        "network", "network_id", "seed"}));
    EXPECT_EQ(lines[i]["timestep"], std::vector<int>({0, 2, 5, 8})[i]);
    ASSERT_EQ(lines[i]["bins"].size(), 10u);
    int64_t count = 0;
    for (const Json& bin : lines[i]["bins"]) count += bin["count"].get<int64_t>();
    EXPECT_EQ(count, lines[i]["positions"]);
    EXPECT_EQ(lines[i]["bins"][3]["from"], 0.3);
    EXPECT_EQ(lines[i]["bins"][3]["to"], 0.4);
  }
}

TEST(EvaluateModel, TellsBeforeAnyWork) {
  const auto model = tiny_model(tiny_config(1, 2, 3, 5));
  const TokenSet set = random_set(*model, 3, 1);
  ModelEvaluationOptions options;
  options.metrics = {"bits", "purity"}, options.draws = 2, options.times = {1, 6};
  int64_t done = 0;
  options.on_progress = [&](int64_t n) { done = n; };
  EXPECT_EQ(error_of([&] { evaluate_model(*model, set, options); }),
            "--timesteps: 6 is not one of the model's 1..5");
  options.metrics = {"purity", "bits"}, options.draws = 9, options.times = {1};
  EXPECT_EQ(error_of([&] { evaluate_model(*model, set, options); }),
            "--draws: 9 different times are asked for; the model has 5");
  options.metrics = {"fid"};
  EXPECT_NE(error_of([&] { evaluate_model(*model, set, options); }), "no error");
  EXPECT_EQ(done, 0);
}

}  // namespace
}  // namespace vq
