#include "lib/runtime/tensor_pool.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

namespace vq {
namespace {

constexpr size_t kMib = size_t{1} << 20;

struct Held {
  unsigned char* start;
  size_t bytes;
  unsigned char mark;

  bool intact() const {
    return std::all_of(start, start + bytes, [&](unsigned char byte) { return byte == mark; });
  }
};

// Blocks of any sizes, taken and given in any order, keep what was written into them.
TEST(TensorPool, BlocksDoNotOverlap) {
  std::mt19937 random(1);
  TensorPool pool(kMib, kMib / 2);
  std::vector<Held> held;
  for (int turn = 0; turn < 4000; ++turn) {
    if (held.size() < 20 && random() % 5 < 3) {
      const size_t bytes = random() % (random() % 8 == 0 ? 2 * kMib : 50000) + 1;
      auto* start = static_cast<unsigned char*>(pool.take(bytes));
      ASSERT_NE(start, nullptr);
      EXPECT_EQ(reinterpret_cast<uintptr_t>(start) % 64, 0u);
      const auto mark = static_cast<unsigned char>(turn);
      std::memset(start, mark, bytes);
      held.push_back({start, bytes, mark});
    } else if (!held.empty()) {
      const size_t which = random() % held.size();
      ASSERT_TRUE(held[which].intact()) << turn;
      ASSERT_TRUE(pool.give(held[which].start));
      held.erase(held.begin() + static_cast<std::ptrdiff_t>(which));
    }
  }
}

TEST(TensorPool, WhatIsGivenBackJoinsItsNeighbours) {
  std::mt19937 random(2);
  TensorPool pool(kMib);
  std::vector<void*> blocks;
  for (int i = 0; i < 16; ++i) blocks.push_back(pool.take(kMib / 16));
  EXPECT_EQ(pool.mapped(), kMib);
  void* first = blocks.front();
  std::shuffle(blocks.begin(), blocks.end(), random);
  for (void* block : blocks) EXPECT_TRUE(pool.give(block));
  EXPECT_EQ(pool.take(kMib), first);  // all of it, in one piece
  EXPECT_EQ(pool.mapped(), kMib);
}

// The oldest memory first, so that new pages are touched only when there is no gap in the others.
TEST(TensorPool, TheFirstGapIsTaken) {
  TensorPool pool(kMib);
  void* one = pool.take(1000);
  void* two = pool.take(1000);
  pool.take(1000);
  pool.give(one);
  pool.give(two);
  EXPECT_EQ(pool.take(500), one);
  EXPECT_EQ(pool.take(1400), static_cast<char*>(one) + 512);
}

TEST(TensorPool, OthersBlocksAreNotTaken) {
  TensorPool pool(kMib);
  int mine = 0;
  EXPECT_FALSE(pool.give(&mine));
  void* block = pool.take(10);
  EXPECT_FALSE(pool.give(static_cast<char*>(block) + 64));
  EXPECT_TRUE(pool.give(block));
  EXPECT_FALSE(pool.give(block));
}

TEST(TensorPool, LargerThanARegionAndThanAllMemory) {
  TensorPool pool(kMib);
  void* block = pool.take(3 * kMib + 1);
  ASSERT_NE(block, nullptr);
  std::memset(block, 1, 3 * kMib + 1);
  EXPECT_EQ(pool.take(size_t{1} << 60), nullptr);
  EXPECT_TRUE(pool.give(block));
}

// The kernel takes pages back, and hands out zeroed ones.
TEST(TensorPool, WhatIsFreeBeyondABoundGoesBack) {
  TensorPool pool(8 * kMib, 2 * kMib);
  auto* block = static_cast<unsigned char*>(pool.take(kMib));
  std::memset(block, 7, kMib);
  pool.give(block);
  ASSERT_EQ(pool.take(kMib), block);
  EXPECT_EQ(block[kMib / 2], 7);  // it was kept
  pool.give(block);
  block = static_cast<unsigned char*>(pool.take(4 * kMib));
  std::memset(block, 7, 4 * kMib);
  pool.give(block);
  ASSERT_EQ(pool.take(4 * kMib), block);
  EXPECT_EQ(block[kMib / 2], 0);
}

TEST(TensorPool, ThreadsShareIt) {
  TensorPool pool(kMib, kMib);
  std::vector<std::thread> threads;
  std::atomic<int> broken = 0;
  for (unsigned seed = 0; seed < 4; ++seed) {
    threads.emplace_back([&, seed] {
      std::mt19937 random(seed);
      for (int turn = 0; turn < 500; ++turn) {
        const size_t bytes = random() % 60000 + 1;
        auto* start = static_cast<unsigned char*>(pool.take(bytes));
        const Held held{start, bytes, static_cast<unsigned char>(seed * 50 + turn % 50)};
        std::memset(start, held.mark, bytes);
        std::this_thread::yield();
        if (!held.intact() || !pool.give(start)) ++broken;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(broken, 0);
}

// In this order in one process: what was taken before goes back where it came from.
TEST(TensorPool, TensorsLieInIt) {
  at::Tensor before = at::ones({1 << 20});
  pool_tensors();
  at::Tensor large = at::ones({1 << 20}), small = at::ones({16});
  EXPECT_EQ(reinterpret_cast<uintptr_t>(large.data_ptr()) % 64, 0u);
  const void* place = large.data_ptr();
  large = at::Tensor();
  EXPECT_EQ(at::empty({1 << 20}).data_ptr(), place);
  EXPECT_EQ(before.sum().item<float>(), static_cast<float>(1 << 20));
  before = small = at::Tensor();
  at::Tensor grown = at::ones({1 << 18});
  grown.resize_({1 << 19});
  EXPECT_EQ(grown.narrow(0, 0, 1 << 18).sum().item<float>(), static_cast<float>(1 << 18));
  EXPECT_ANY_THROW(at::empty({int64_t{1} << 58}));
}

}  // namespace
}  // namespace vq
