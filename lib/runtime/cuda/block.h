// What the threads of one block find out together: sums, maxima, a draw. The bodies of the kernels
// are written for any block, so that they run on the host too, thread by thread.
//
// A Block gives
//   thread(), threads()      which one this is, of how many
//   lanes()                  threads that can exchange directly, a power of two; thread / lanes is
//                            the group of one; threads is a multiple of lanes
//   from_lane(value, lane)   the value that this lane of the group gave; all lanes of a group call
//   it
//                            together (float, double, int32_t)
//   sync()                   all threads of the block call it together; what was written before by
//                            one is read after by all
// Law: every thread gets the same bits, whatever the others' speed, so that all of them take the
// same branch afterwards and meet at the next sync.                         (cuda_block_test.cc)
#pragma once

#include <cstdint>

#include "lib/host_device.h"

namespace vq {

// Groups are at most this many: 1024 threads of 32 lanes.
inline constexpr int kMostGroups = 32;

// What all threads of one block share.
struct BlockScratch {
  struct Slot {
    double sum;
    int32_t count;
    float largest;
  };
  Slot slots[2][kMostGroups];  // one is read while the next is written
};

template <typename Block>
class Together {
 public:
  VQ_HOST_DEVICE Together(const Block& block, BlockScratch& scratch)
      : block_(block), scratch_(scratch) {}

  VQ_HOST_DEVICE int thread() const { return block_.thread(); }
  VQ_HOST_DEVICE int threads() const { return block_.threads(); }
  VQ_HOST_DEVICE void sync() const { block_.sync(); }

  VQ_HOST_DEVICE double sum(double value) { return sum(value, 0).sum; }

  // A sum and a count at once: half the waiting.
  struct Both {
    double sum;
    int32_t count;
  };
  VQ_HOST_DEVICE Both sum(double value, int32_t count) {
    for (int offset = block_.lanes() / 2; offset > 0; offset /= 2) {
      value += block_.from_lane(value, lane() ^ offset);
      count += block_.from_lane(count, lane() ^ offset);
    }
    BlockScratch::Slot* const slots = next_slots();
    if (lane() == 0) {
      slots[group()].sum = value;
      slots[group()].count = count;
    }
    block_.sync();
    Both all{0, 0};
    for (int g = 0; g < groups(); ++g) {
      all.sum += slots[g].sum;
      all.count += slots[g].count;
    }
    return all;
  }

  // The largest; of NaN nothing is said.
  VQ_HOST_DEVICE float largest(float value) {
    for (int offset = block_.lanes() / 2; offset > 0; offset /= 2) {
      const float other = block_.from_lane(value, lane() ^ offset);
      value = other > value ? other : value;
    }
    BlockScratch::Slot* const slots = next_slots();
    if (lane() == 0) slots[group()].largest = value;
    block_.sync();
    float all = slots[0].largest;
    for (int g = 1; g < groups(); ++g) all = slots[g].largest > all ? slots[g].largest : all;
    return all;
  }

  // Where this thread's share lies when the shares of all threads are put side by side in order:
  // from..to of `all`. Shares are not negative; then `to` is bit by bit the next one's `from`, and
  // none is below the one before.
  struct Range {
    double from, to, all;
  };
  VQ_HOST_DEVICE Range side_by_side(double share) {
    // Each lane adds up the lanes before it, one after the other: a sum of other order could go
    // down from one thread to the next by a rounding.
    double before = 0, upto = 0;
    double mine = 0;
    for (int l = 0; l < block_.lanes(); ++l) {
      if (l == lane()) before = upto;
      upto += block_.from_lane(share, l);
      if (l == lane()) mine = upto;
    }
    BlockScratch::Slot* const slots = next_slots();
    if (lane() == 0) slots[group()].sum = upto;
    block_.sync();
    double start = 0, all = 0;
    for (int g = 0; g < groups(); ++g) {
      if (g == group()) start = all;
      all += slots[g].sum;
    }
    return {start + before, start + mine, all};
  }

 private:
  VQ_HOST_DEVICE int group() const { return block_.thread() / block_.lanes(); }
  VQ_HOST_DEVICE int groups() const { return block_.threads() / block_.lanes(); }
  VQ_HOST_DEVICE int lane() const { return block_.thread() % block_.lanes(); }
  VQ_HOST_DEVICE BlockScratch::Slot* next_slots() {
    turn_ ^= 1;
    return scratch_.slots[turn_];
  }

  const Block& block_;
  BlockScratch& scratch_;
  int turn_ = 0;
};

}  // namespace vq
