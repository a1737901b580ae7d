// Blocks of threads on the host, as lib/runtime/cuda/block.h wants them: one thread alone, and many
// that really run side by side, so that a missing sync shows.
#pragma once

#include <array>
#include <barrier>
#include <cstring>
#include <deque>
#include <functional>
#include <thread>
#include <vector>

namespace vq::testing {

struct LoneThread {
  int thread() const { return 0; }
  int threads() const { return 1; }
  int lanes() const { return 1; }
  template <typename Value>
  Value from_lane(Value value, int) const {
    return value;
  }
  void sync() const {}
};

// What the threads of a HostBlock share.
class HostThreads {
 public:
  HostThreads(int threads, int lanes)
      : threads_(threads), lanes_(lanes), all_(threads), given_(static_cast<size_t>(threads)) {
    for (int g = 0; g < threads / lanes; ++g) groups_.emplace_back(lanes);
  }

 private:
  friend class HostBlock;
  int threads_, lanes_;
  std::barrier<> all_;
  std::deque<std::barrier<>> groups_;
  std::vector<std::array<unsigned char, 8>> given_;
};

class HostBlock {
 public:
  HostBlock(HostThreads& shared, int thread) : shared_(shared), thread_(thread) {}
  int thread() const { return thread_; }
  int threads() const { return shared_.threads_; }
  int lanes() const { return shared_.lanes_; }
  template <typename Value>
  Value from_lane(Value value, int lane) const {
    static_assert(sizeof(Value) <= 8);
    const int group = thread_ / lanes();
    std::barrier<>& meet = shared_.groups_[static_cast<size_t>(group)];
    std::memcpy(shared_.given_[static_cast<size_t>(thread_)].data(), &value, sizeof value);
    meet.arrive_and_wait();
    const auto from = static_cast<size_t>(group * lanes() + lane);
    std::memcpy(&value, shared_.given_[from].data(), sizeof value);
    meet.arrive_and_wait();
    return value;
  }
  void sync() const { shared_.all_.arrive_and_wait(); }

 private:
  HostThreads& shared_;
  int thread_;
};

// Runs body(block) by all threads of one block.
template <typename Body>
void run_block(int threads, int lanes, const Body& body) {
  HostThreads shared(threads, lanes);
  std::vector<std::thread> running;
  for (int t = 0; t < threads; ++t) {
    running.emplace_back([&shared, &body, t] { body(HostBlock(shared, t)); });
  }
  for (std::thread& thread : running) thread.join();
}

}  // namespace vq::testing
