#include "lib/sampling/windows.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "formats/error.h"
#include "lib/random.h"
#include "tests/unit/chains.h"

namespace vq {
namespace {

using testing::nothing;
using testing::tiny_config;
using testing::tiny_model;

at::Tensor covered(const std::vector<Area>& windows, int64_t height, int64_t width) {
  at::Tensor count = at::zeros({height, width}, at::kLong);
  for (const Area& a : windows)
    count.narrow(0, a.row, a.height).narrow(1, a.column, a.width).add_(1);
  return count;
}

TEST(PlanWindows, CoversTheCanvasWithTheOverlapAskedFor) {
  for (const auto& [height, width, overlap] :
       {std::tuple{4, 4, 2}, {4, 9, 1}, {16, 4, 3}, {7, 11, 2}, {8, 8, 0}}) {
    const auto windows = plan_windows(height, width, {0, 0, 4, 4}, overlap, {});
    EXPECT_TRUE(covered(windows, height, width).gt(0).all().item<bool>());
    for (const Area& a : windows) {
      EXPECT_GE(a.row, 0);
      EXPECT_LE(a.row + a.height, height);
      EXPECT_LE(a.column + a.width, width);
    }
    // Every window but the first finds what the overlap promises.
    at::Tensor there = at::zeros({height, width}, at::kLong);
    for (size_t w = 0; w < windows.size(); ++w) {
      const Area& a = windows[w];
      at::Tensor here = there.narrow(0, a.row, a.height).narrow(1, a.column, a.width);
      if (w > 0) {
        EXPECT_GE(here.sum().item<int64_t>(), 4 * overlap);
      }
      here.fill_(1);
    }
  }
  EXPECT_EQ(plan_windows(4, 4, {0, 0, 4, 4}, 2, {}).size(), 1u);
  EXPECT_EQ(plan_windows(8, 8, {0, 0, 4, 4}, 0, {}).size(), 4u);
}

TEST(PlanWindows, BeginsWhereMostIsGiven) {
  const auto windows = plan_windows(8, 12, {0, 0, 4, 4}, 2, {4, 6, 4, 4});
  EXPECT_EQ(windows[0].row, 4);
  EXPECT_EQ(windows[0].column, 6);
}

TEST(PlanWindows, RefusesWhatCannotBe) {
  EXPECT_THROW(plan_windows(3, 8, {0, 0, 4, 4}, 2, {}), Error);
  EXPECT_THROW(plan_windows(8, 8, {0, 0, 4, 4}, 4, {}), Error);
}

TEST(SampleWindows, OneWindowIsTheModelsOwnGrid) {
  const auto model = tiny_model(tiny_config(3, 4, 7, 10));
  SamplerOptions options;
  Request request{nothing(2), {0, 1}};
  request.tokens = at::full({2, 12}, 7, at::kLong);
  const auto windows = plan_windows(3, 4, {0, 0, 3, 4}, 1, {});
  const at::Tensor x = sample_windows(*model, request, 3, 4, windows, options);
  options.seed = derive_seed(options.seed, "window 0");
  EXPECT_TRUE(at::equal(x, sample(*model, {nothing(2), {0, 1}}, options)));
}

TEST(SampleWindows, FillsTheCanvasAndKeepsWhatIsGiven) {
  const auto model = tiny_model(tiny_config(3, 4, 7, 10));
  Request request{nothing(3), {5, 6, 7}};
  request.tokens = at::full({3, 7, 9}, 7, at::kLong);
  request.tokens.narrow(1, 2, 3).narrow(2, 4, 4).copy_(at::arange(36).remainder(7).view({3, 3, 4}));
  request.tokens = request.tokens.flatten(1);
  const at::Tensor given = request.tokens.ne(7);
  const auto windows = plan_windows(7, 9, {0, 0, 3, 4}, 1, {2, 4, 3, 4});
  for (const std::string& word : order_words()) {
    SamplerOptions options;
    options.order = parse_order(word), options.steps = 4;
    int seen = 0;
    at::Tensor last;
    SamplerReport report;
    const at::Tensor x = sample_windows(
        *model, request, 7, 9, windows, options, &report, [&](int step, const at::Tensor& canvas) {
          EXPECT_EQ(step, ++seen);
          last = canvas.clone();
          EXPECT_TRUE(at::equal(canvas.masked_select(given), request.tokens.masked_select(given)));
        });
    EXPECT_FALSE(x.eq(7).any().item<bool>()) << word;
    EXPECT_TRUE(at::equal(x, last));
    EXPECT_GT(report.network_calls, static_cast<int64_t>(windows.size()) / 2);
    // A record by itself comes out the same.
    Request one{nothing(1), {6}};
    one.tokens = request.tokens.narrow(0, 1, 1);
    EXPECT_TRUE(at::equal(sample_windows(*model, one, 7, 9, windows, options)[0], x[1])) << word;
  }
}

// Windows have noise of their own: equal surroundings do not give equal tokens again and again.
TEST(SampleWindows, WindowsDoNotRepeatEachOther) {
  const auto model = tiny_model(tiny_config(3, 4, 50, 10));
  Request request{nothing(1), {0}};
  request.tokens = at::full({1, 6 * 4}, 50, at::kLong);
  const at::Tensor x = sample_windows(*model, request, 6, 4,
                                      plan_windows(6, 4, {0, 0, 3, 4}, 0, {}), SamplerOptions());
  EXPECT_FALSE(at::equal(x.narrow(1, 0, 12), x.narrow(1, 12, 12)));
}

}  // namespace
}  // namespace vq
