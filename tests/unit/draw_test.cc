#include "lib/sampling/draw.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "lib/sampling/run.h"
#include "tests/unit/chains.h"
#include "tests/unit/pretended_plugin.h"

namespace vq {
namespace {

using testing::PretendedPlugin;
using testing::some_uniforms;

constexpr int64_t kRows = 300, kCodes = 11;

Guess::Both some_logits(bool guided) {
  at::manual_seed(4);
  Guess::Both logits;
  logits.conditioned = at::randn({kRows, kCodes}) * 2;
  if (!guided) return logits;
  logits.null = at::randn({kRows, kCodes});
  logits.scale = at::linspace(1, 4, kRows, at::kDouble);
  return logits;
}

// A kernel is given what the functions would take: every field counts, since leaving out any one
// changes tokens.
TEST(Draw, GivesThePluginWhatTheFunctionsTake) {
  const Schedule schedule = Schedule::make("linear", 10, kCodes);
  const Transition q = schedule.between(3, 6);
  const at::Tensor u = some_uniforms(1, kRows), v = some_uniforms(2, kRows);
  const at::Tensor x_t = at::arange(kRows).remainder(kCodes + 1);
  for (const bool guided : {false, true}) {
    const Guess::Both logits = some_logits(guided);
    for (const Truncation& t : {Truncation{}, Truncation{.temperature = 0.7},
                                Truncation{.top_p = 0.6}, Truncation{.top_k = 3}}) {
      const PretendedPlugin plugin;
      const at::Tensor guessed = draw_guess(logits, t, u[0], nullptr);
      EXPECT_TRUE(draw_guess(logits, t, u[0], &plugin).equal(guessed));
      const at::Tensor changed = draw_change(logits, t, q, x_t, u[0], v[0], nullptr);
      EXPECT_TRUE(draw_change(logits, t, q, x_t, u[0], v[0], &plugin).equal(changed));
      EXPECT_EQ(plugin.draws, 2);
      EXPECT_FALSE(guessed.equal(changed));
      EXPECT_FALSE(guessed.equal(draw_guess(some_logits(!guided), t, u[0], nullptr)));
      if (t.temperature != 1 || t.top_p < 1 || t.top_k > 0) {
        EXPECT_FALSE(guessed.equal(draw_guess(logits, {}, u[0], nullptr)));
      }
    }
  }
}

// A run with the plugin, of every order: noise of the right record, step and cell, and draws of the
// right rows.
TEST(Draw, RunsWithThePluginAreThoseWithout) {
  const at::NoGradGuard no_grad;
  const auto model = testing::chain_model(3, 4, 9, 12);
  const std::vector<uint64_t> records = {5, 0, uint64_t{1} << 40};
  for (const std::string& word : order_words()) {
    SamplerOptions options;
    options.order = parse_order(word), options.steps = 5, options.seed = 8;
    options.truncation.top_p = 0.9;
    const PretendedPlugin plugin;
    std::vector<at::Tensor> grids;
    for (const CudaPlugin* with :
         {static_cast<const CudaPlugin*>(nullptr), static_cast<const CudaPlugin*>(&plugin)}) {
      SamplingRun run{*model,
                      options,
                      records,
                      {},
                      Guess(*model, testing::nothing(3), {}, Null::learned, {}),
                      at::full({3, 12}, 9, at::kLong),
                      at::zeros({3, 12}, at::kBool),
                      12};
      run.set_masked(at::ones({3, 12}, at::kBool));
      run.plugin = with;
      sample_in_order(run);
      grids.push_back(run.x);
    }
    EXPECT_TRUE(grids[0].equal(grids[1])) << word;
    EXPECT_TRUE(grids[0].lt(9).all().item<bool>()) << word;
    EXPECT_GT(plugin.draws + plugin.noises, 0) << word;
  }
}

TEST(Draw, CellsBySortingAreThoseThatHoldTrue) {
  at::manual_seed(2);
  for (const double share : {0.0, 0.1, 0.9, 1.0}) {
    const at::Tensor grid = at::rand({5, 37}) < share;
    const at::Tensor cells = grid.flatten().nonzero().squeeze(1);
    EXPECT_TRUE(cells_by_sorting(grid, cells.numel()).equal(cells)) << share;
  }
}

}  // namespace
}  // namespace vq
