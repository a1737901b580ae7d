#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "lib/random.h"
#include "lib/runtime/cuda/block.h"
#include "tests/unit/thread_block.h"

namespace vq {
namespace {

// Numbers of very different size, some of them zero; not the first thread's.
double some_share(int round, int thread) {
  const Pair u = uniform_pair(3, Purpose::boot,
                              {static_cast<uint64_t>(round), 0, static_cast<uint32_t>(thread)});
  return thread > 0 && u.first < 0.2 ? 0 : std::exp(60 * u.second - 50);
}

struct Shape {
  int threads, lanes;
};
constexpr Shape kShapes[] = {{1, 1}, {4, 4}, {8, 2}, {32, 8}};
constexpr int kRounds = 20;

// One after the other without a sync between them, as the kernels do.
TEST(CudaBlock, AllThreadsLearnTheSameSumsAndMaxima) {
  for (const auto& [threads, lanes] : kShapes) {
    struct Seen {
      double sum, both_sum;
      int32_t count;
      float largest;
    };
    std::vector<std::vector<Seen>> seen(static_cast<size_t>(threads));
    BlockScratch scratch;
    testing::run_block(threads, lanes, [&](const testing::HostBlock& block) {
      Together<testing::HostBlock> all(block, scratch);
      for (int round = 0; round < kRounds; ++round) {
        const double share = some_share(round, block.thread());
        Seen s{};
        s.sum = all.sum(share);
        const auto both = all.sum(share / 2, block.thread() + round);
        s.both_sum = both.sum;
        s.count = both.count;
        s.largest = all.largest(static_cast<float>(-share));
        seen[static_cast<size_t>(block.thread())].push_back(s);
      }
    });
    for (int round = 0; round < kRounds; ++round) {
      double sum = 0;
      int32_t count = 0;
      float largest = -INFINITY;
      for (int t = 0; t < threads; ++t) {
        const double share = some_share(round, t);
        sum += share;
        count += t + round;
        largest = std::max(largest, static_cast<float>(-share));
      }
      const Seen& first = seen[0][static_cast<size_t>(round)];
      EXPECT_NEAR(first.sum / sum, 1, 1e-14);
      EXPECT_NEAR(first.both_sum / sum, 0.5, 1e-14);
      for (const auto& of_thread : seen) {
        const Seen& s = of_thread[static_cast<size_t>(round)];
        EXPECT_EQ(s.sum, first.sum);
        EXPECT_EQ(s.both_sum, first.both_sum);
        EXPECT_EQ(s.count, count);
        EXPECT_EQ(s.largest, largest);
      }
    }
  }
}

TEST(CudaBlock, SharesSideBySideLeaveNoGapAndNeverGoDown) {
  for (const auto& [threads, lanes] : kShapes) {
    using Ranges = std::vector<Together<testing::HostBlock>::Range>;
    std::vector<Ranges> ranges(kRounds, Ranges(static_cast<size_t>(threads)));
    BlockScratch scratch;
    testing::run_block(threads, lanes, [&](const testing::HostBlock& block) {
      Together<testing::HostBlock> all(block, scratch);
      for (int round = 0; round < kRounds; ++round) {
        ranges[static_cast<size_t>(round)][static_cast<size_t>(block.thread())] =
            all.side_by_side(some_share(round, block.thread()));
      }
    });
    for (int round = 0; round < kRounds; ++round) {
      double upto = 0;
      for (int t = 0; t < threads; ++t) {
        const auto& range = ranges[static_cast<size_t>(round)][static_cast<size_t>(t)];
        EXPECT_EQ(range.from, upto);
        EXPECT_GE(range.to, range.from);
        EXPECT_NEAR(range.to - range.from, some_share(round, t), 1e-13 * range.all);
        EXPECT_EQ(range.all, ranges[static_cast<size_t>(round)].back().to);
        upto = range.to;
      }
    }
  }
}

}  // namespace
}  // namespace vq
