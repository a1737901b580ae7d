#include "lib/sampling/sampler.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "formats/error.h"
#include "lib/random.h"
#include "tests/unit/chains.h"

namespace vq {
namespace {

using testing::tiny_config;
using testing::tiny_model;

using testing::count_up;
using testing::every_order;
using testing::nothing;

std::string name_of(const SamplerOptions& options) {
  return order_words()[static_cast<size_t>(options.order)] +
         (options.tokens_per_step > 0 ? ", tokens per step" : ", steps");
}

// Grids of random tokens, of which a third is [mask]; about half of the cells are frozen, none of
// them [mask].
Request half_given(const DiffusionModel& model, int64_t rows) {
  Request request;
  request.prepared = nothing(rows), request.records = count_up(static_cast<uint64_t>(rows));
  const auto length = static_cast<int64_t>(testing::all_masked(model).size());
  const int64_t k = model.denoiser().mask();
  const UniformGrid noise = uniform_grid(8, Purpose::boot, request.records, 0, length);
  request.tokens = (noise.first * static_cast<double>(k)).to(at::kLong);
  request.frozen = noise.second.lt(0.5);
  request.tokens.masked_fill_(noise.second.gt(0.67), k);
  return request;
}

// Law 3: batch size, order, threads and shards do not matter.
TEST(Sampler, ARecordDoesNotDependOnItsBatch) {
  const auto model = tiny_model(tiny_config(4, 4, 37, 20));
  for (SamplerOptions options : every_order()) {
    SCOPED_TRACE(name_of(options));
    const at::Tensor all = sample(*model, {nothing(14), count_up(14)}, options);
    for (const int64_t batch : {1, 2, 7}) {
      for (int64_t at = 0; at < 14; at += batch) {
        std::vector<uint64_t> records;
        for (int64_t i = at; i < at + batch; ++i) records.push_back(static_cast<uint64_t>(i));
        EXPECT_TRUE(
            at::equal(sample(*model, {nothing(batch), records}, options), all.narrow(0, at, batch)))
            << batch;
      }
    }
    EXPECT_TRUE(at::equal(sample(*model, {nothing(2), {13, 4}}, options),
                          all.index_select(0, at::tensor({13, 4}, at::kLong))));
    const int threads = at::get_num_threads();
    at::set_num_threads(threads == 1 ? 2 : 1);
    EXPECT_TRUE(at::equal(sample(*model, {nothing(14), count_up(14)}, options), all));
    at::set_num_threads(threads);
    options.seed = 4;
    EXPECT_FALSE(at::equal(sample(*model, {nothing(14), count_up(14)}, options), all));
  }
}

// The same for grids that are partly there, each in its own way.
TEST(Sampler, AGivenGridDoesNotDependOnItsBatchEither) {
  const auto model = tiny_model(tiny_config(4, 4, 37, 20));
  const Request together = half_given(*model, 6);
  for (const SamplerOptions& options : every_order()) {
    SCOPED_TRACE(name_of(options));
    const at::Tensor all = sample(*model, together, options);
    for (int64_t i = 0; i < 6; ++i) {
      Request alone;
      alone.prepared = nothing(1), alone.records = {static_cast<uint64_t>(i)};
      alone.tokens = together.tokens.narrow(0, i, 1);
      alone.frozen = together.frozen.narrow(0, i, 1);
      EXPECT_TRUE(at::equal(sample(*model, alone, options)[0], all[i])) << i;
    }
  }
}

// Law 4: given tokens are given, at every step, the last one included; and nothing stays [mask].
TEST(Sampler, NoStepChangesAFrozenPosition) {
  for (const std::string schedule : {"linear", "replace"}) {
    const auto model = tiny_model(tiny_config(5, 3, 6, 10, schedule));
    Request request = half_given(*model, 20);
    for (const SamplerOptions& options : every_order()) {
      SCOPED_TRACE(schedule + ", " + name_of(options));
      int steps = 0;
      const at::Tensor last =
          sample(*model, request, options, nullptr, [&](int, const at::Tensor& x) {
            ++steps;
            EXPECT_TRUE(at::equal(x.masked_select(request.frozen),
                                  request.tokens.masked_select(request.frozen)));
          });
      EXPECT_GT(steps, 0);
      EXPECT_FALSE(last.eq(6).any().item<bool>());
      EXPECT_FALSE(at::equal(last, request.tokens));
    }
  }
}

TEST(Sampler, AGridWithNothingFreeComesBackAsItIs) {
  const auto model = tiny_model(tiny_config(2, 3, 6, 10, "replace"));
  Request request = half_given(*model, 3);
  request.tokens.clamp_max_(5);
  request.frozen = at::ones_like(request.frozen);
  for (const SamplerOptions& options : every_order()) {
    SCOPED_TRACE(name_of(options));
    SamplerReport report;
    EXPECT_TRUE(at::equal(sample(*model, request, options, &report), request.tokens));
    EXPECT_EQ(report.network_calls, 0);
  }
}

TEST(Sampler, RefusesWhatDoesNotGoTogether) {
  const auto model = tiny_model(tiny_config(2, 3, 6, 10));
  Request request = half_given(*model, 3);
  SamplerOptions options;
  request.time = 10.5;
  EXPECT_THROW(sample(*model, request, options), Error);
  request.time = -1, request.tokens = request.tokens.narrow(1, 0, 5);
  EXPECT_THROW(sample(*model, request, options), Error);
  options.guidance.on_posterior = true, options.guidance.scale = 2, options.order = Order::random;
  EXPECT_THROW(sample(*model, {nothing(1), {0}}, options), Error);
  EXPECT_THROW(parse_order("sideways"), Error);
}

TEST(Sampler, CaptionsAndGuidanceDoNotDependOnTheBatchEither) {
  DiffusionModelConfig config = tiny_config(2, 2, 11, 10);  // four positions: the smallest products
  config.condition.kind = ConditionKind::caption;
  config.condition.text = {1, 32, 2, 0, 6};
  const std::vector<std::string> captions = {"a red ring", "a blue star", "a red star",
                                             "a green ring and a star"};
  const auto model = tiny_model(config, 2, Vocabulary::train(captions, 60));
  SamplerOptions options;
  options.guidance.scale = 3, options.seed = 9;
  std::vector<at::Tensor> prepared;
  for (const std::string& caption : captions)
    prepared.push_back(at::tensor(model->condition().prepare_caption(caption), at::kLong));
  const at::Tensor all = sample(*model, {at::stack(prepared), count_up(4)}, options);
  for (uint64_t i = 0; i < 4; ++i) {
    EXPECT_TRUE(at::equal(sample(*model, {prepared[i].unsqueeze(0), {i}}, options)[0],
                          all[static_cast<int64_t>(i)]));
  }
}

TEST(Sampler, GuidanceDrawsTowardsTheCondition) {
  DiffusionModelConfig config = tiny_config(1, 1, 4, 6);
  config.condition.kind = ConditionKind::label;
  config.condition.classes = {"a", "b", "c"};
  const auto model = tiny_model(config);
  const auto guess = [&](int64_t label) {
    const at::Tensor x = at::full({1, 1}, 4, at::kLong);
    const Features features = model->condition()(at::full({1, 1}, label, at::kLong));
    return at::log_softmax(
        model->denoiser()
            .head(model->denoiser().hidden(x, at::full({1}, 5, at::kLong), features))
            .to(at::kDouble),
        -1)[0][0];
  };
  // One position and one step: x_0 is drawn from the guided guess itself.
  const at::Tensor want = at::softmax(guess(-1) + 2.5 * (guess(1) - guess(-1)), -1).contiguous();
  SamplerOptions options;
  options.steps = 1, options.guidance.scale = 2.5;
  const int64_t draws = 20000;
  const at::Tensor x =
      sample(*model, {at::full({draws, 1}, 1, at::kLong), count_up(draws)}, options);
  const at::Tensor counts = at::bincount(x.flatten(), {}, 4).to(at::kDouble);
  EXPECT_TRUE(testing::chi_square({counts.data_ptr<double>(), counts.data_ptr<double>() + 4},
                                  {want.data_ptr<double>(), want.data_ptr<double>() + 4})
                  .plausible());
}

TEST(Sampler, LeavesNoMaskAndAsksNoNetworkWhenNothingCanChange) {
  const auto model = tiny_model(tiny_config(2, 2, 6, 10, "cosine"));
  SamplerOptions options;
  options.steps =
      500;  // of which at most four have something to do: four positions, and what is there stays
  SamplerReport report;
  int seen = 0;
  const at::Tensor x =
      sample(*model, {nothing(1), {0}}, options, &report, [&](int step, const at::Tensor& grid) {
        EXPECT_EQ(step, ++seen);
        EXPECT_EQ(grid.size(1), 4);
      });
  EXPECT_EQ(x.eq(6).sum().item<int64_t>(), 0);
  EXPECT_EQ(seen, 500);
  EXPECT_LE(report.network_calls, 4);
}

// Law 6: nothing sticks to the model.
TEST(Sampler, EarlierOptionsDoNotStick) {
  const auto model = tiny_model(tiny_config(2, 3, 9, 10));
  SamplerOptions plain, sharp;
  sharp.truncation.top_p = 0.3, sharp.guidance.scale = 4, sharp.steps = 3;
  const at::Tensor before = sample(*model, {nothing(3), count_up(3)}, plain);
  sample(*model, {nothing(5), count_up(5)}, sharp);
  EXPECT_TRUE(at::equal(sample(*model, {nothing(3), count_up(3)}, plain), before));
}

// Reuse is an approximation of each record by itself: alone or beside others, with steps in which
// the guidance is off and cells that are given, it comes out the same.
TEST(Sample, RecordWithReuseDoesNotDependOnItsBatch) {
  DiffusionModelConfig config = tiny_config(3, 4, 9, 12);
  config.denoiser.condition = ConditionKind::none;
  const auto model = tiny_model(config);
  model->make_engine(Precision::bf16);
  if (model->engine() == nullptr) GTEST_SKIP() << "this processor has no AVX512_BF16";
  const Request request = half_given(*model, 3);
  int differing = 0;
  for (SamplerOptions options : every_order()) {
    const at::Tensor exact = sample(*model, request, options);
    options.reuse = 3;
    const at::Tensor all = sample(*model, request, options);
    differing += all.equal(exact) ? 0 : 1;
    for (int64_t b = 0; b < 3; ++b) {
      Request one = request;
      one.prepared = nothing(1), one.records = {request.records[static_cast<size_t>(b)]};
      one.tokens = request.tokens.slice(0, b, b + 1);
      one.frozen = request.frozen.slice(0, b, b + 1);
      EXPECT_TRUE(sample(*model, one, options).equal(all.slice(0, b, b + 1))) << name_of(options);
    }
  }
  EXPECT_GT(differing, 0);
}

TEST(Sample, RefusesAMaskThatIsNotToChangeAndNoRecords) {
  const auto model = tiny_model(tiny_config(3, 4, 9, 12));
  Request request = half_given(*model, 2);
  sample(*model, request, {});
  request.frozen = at::ones_like(request.frozen);
  EXPECT_THROW(sample(*model, request, {}), Error);
  Request none;
  none.prepared = nothing(0);
  EXPECT_THROW(sample(*model, none, {}), Error);
}

}  // namespace
}  // namespace vq
