#include "lib/runtime/parallel.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>
#include <vector>

namespace vq {
namespace {

class SideBySide : public testing::Test {
 protected:
  void SetUp() override { at::set_num_threads(2); }
  void TearDown() override { at::set_num_threads(threads_); }

 private:
  int threads_ = at::get_num_threads();
};

TEST_F(SideBySide, EveryPieceRunsOnce) {
  for (const int64_t pieces : {0, 1, 2, 3, 17}) {
    std::vector<std::atomic<int>> runs(static_cast<size_t>(pieces));
    side_by_side(pieces, [&](int64_t piece) { ++runs[static_cast<size_t>(piece)]; });
    for (const auto& n : runs) EXPECT_EQ(n, 1);
  }
}

TEST_F(SideBySide, SharesAreAllNumbersOnce) {
  for (const int64_t count : {0, 1, 7, 1000}) {
    std::vector<std::atomic<int>> runs(static_cast<size_t>(count));
    std::atomic<int> shares{0};
    in_shares(count, 5, [&](int64_t begin, int64_t end) {
      ++shares;
      for (int64_t n = begin; n < end; ++n) ++runs[static_cast<size_t>(n)];
    });
    for (const auto& n : runs) EXPECT_EQ(n, 1);
    EXPECT_EQ(shares, count == 0 ? 0 : count < 10 ? (count + 4) / 5 : 2) << count;
  }
}

// Each waits for the other, which only two threads at once can do.
TEST_F(SideBySide, TwoPiecesRunAtOnce) {
  std::atomic<int> there{0};
  std::atomic<bool> met[2] = {false, false};
  side_by_side(2, [&](int64_t piece) {
    ++there;
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (there < 2 && std::chrono::steady_clock::now() < until) std::this_thread::yield();
    met[piece] = there == 2;
  });
  EXPECT_TRUE(met[0] && met[1]);
}

TEST_F(SideBySide, APieceIsInsideAParallelRegion) {
  side_by_side(2, [&](int64_t) {
    const at::Tensor x = at::ones({512, 512});
    EXPECT_TRUE(at::in_parallel_region());
    EXPECT_EQ(at::mm(x, x)[0][0].item<float>(), 512);
  });
  EXPECT_FALSE(at::in_parallel_region());
}

TEST_F(SideBySide, AnErrorIsThrownOn) {
  EXPECT_THROW(side_by_side(2,
                            [](int64_t piece) {
                              if (piece == 1) throw std::runtime_error("no");
                            }),
               std::runtime_error);
}

}  // namespace
}  // namespace vq
