#include "lib/sampling/draw.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

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

}  // namespace
}  // namespace vq
