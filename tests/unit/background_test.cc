#include "lib/runtime/background.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <numeric>
#include <stdexcept>
#include <thread>
#include <vector>

namespace vq {
namespace {

// Lets pieces go on one by one.
class Gate {
 public:
  void open(int pieces) {
    const std::lock_guard<std::mutex> lock(mutex_);
    open_ += pieces;
    changed_.notify_all();
  }
  void pass() {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return open_ > 0; });
    --open_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int open_ = 0;
};

TEST(Background, PiecesRunInOrderAndCanBeReadAfterWaiting) {
  std::vector<size_t> order(100);
  size_t next = 0;
  const Background work(100, [&](size_t piece) { order[piece] = next++; });
  for (size_t piece = 0; piece < 100; ++piece) {
    work.wait(piece);
    EXPECT_EQ(order[piece], piece);
  }
}

TEST(Background, NobodyWaitsForWhatComesLater) {
  Gate gate;
  std::atomic<int> done = 0;
  const Background work(3, [&](size_t) { gate.pass(), ++done; });
  gate.open(1);
  work.wait(0);
  EXPECT_EQ(done, 1);
  gate.open(2);
  work.wait(2);
  work.wait(1);
  EXPECT_EQ(done, 3);
}

TEST(Background, EndsAfterThePieceInHand) {
  Gate gate;
  std::atomic<int> done = 0;
  {
    Background work(1000000, [&](size_t piece) {
      if (piece == 0)
        gate.pass();
      else
        std::this_thread::sleep_for(std::chrono::microseconds(100));  // in all, minutes
      ++done;
    });
    gate.open(1);
    work.wait(0);
  }
  EXPECT_LT(done, 1000000);
}

TEST(Background, AnErrorComesOutOfTheWaitForWhatWasNotDone) {
  std::atomic<int> begun = 0;
  const Background work(5, [&](size_t piece) {
    ++begun;
    if (piece == 2) throw std::runtime_error("piece 2");
  });
  EXPECT_THROW(work.wait(4), std::runtime_error);
  EXPECT_THROW(work.wait(2), std::runtime_error);
  work.wait(1);  // that one was done
  EXPECT_EQ(begun, 3);
}

TEST(Background, HasAsManyThreadsAsItsStarter) {
  const int before = at::get_num_threads();
  for (const int threads : {1, 3}) {
    at::set_num_threads(threads);
    int seen = 0;
    const Background work(1, [&](size_t) { seen = at::get_num_threads(); });
    work.wait(0);
    EXPECT_EQ(seen, threads);
  }
  at::set_num_threads(before);
}

TEST(Background, NothingToDoIsDone) { Background().wait(7); }

}  // namespace
}  // namespace vq
