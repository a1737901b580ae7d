// Memory of large tensors on the CPU, kept for the next one.
//
// A network that is run again and again wants the same few dozen blocks of megabytes for every
// layer. malloc either maps each anew, and the kernel clears its pages every time (18 % of
// decoding, 5 to 13 % of a sampling step), or keeps heaps per thread that come to a multiple of
// what is in use: glibc 2.36 held 275 MiB for 55. Here all threads share one pool, in which a block
// goes to the first gap that holds it, from the oldest memory on.
//
// Of what is free about a gigabyte is kept; then all of it goes back to the kernel. How many pages
// lie in it is estimated, by what was given since less what was taken.
//
// Laws: blocks do not overlap and begin on cache lines; what is given back joins its neighbours, so
// that an empty pool serves any size it ever had; any thread may take and give.
// (tensor_pool_test.cc)
#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace vq {

class TensorPool {
 public:
  static constexpr size_t kRegion = size_t{256} << 20;  // address space, taken at once
  static constexpr size_t kKept = size_t{1} << 30;      // free, and not given back

  explicit TensorPool(size_t region = kRegion, size_t kept = kKept)
      : region_(region), kept_(kept) {}
  TensorPool(const TensorPool&) = delete;
  TensorPool& operator=(const TensorPool&) = delete;
  ~TensorPool();  // blocks end with it

  void* take(size_t bytes);  // null where the kernel has no more
  bool give(void* block);    // false: it is none of the pool's
  size_t mapped() const;     // bytes of address space

 private:
  struct Region {
    char* start;
    size_t size;
    std::map<size_t, size_t> gaps;  // offset -> bytes
  };
  struct Block {
    size_t region, offset, bytes;
  };

  void* take_from(size_t region, size_t bytes);
  bool grow(size_t bytes);
  void give_back();

  const size_t region_, kept_;
  mutable std::mutex mutex_;
  std::vector<Region> regions_;
  std::unordered_map<void*, Block> blocks_;
  size_t given_ = 0;  // bytes given, less those taken, since the kernel got all that was free
};

// From now on tensors of 64 KiB or more come from a pool that lives as long as the process.
void pool_tensors();

}  // namespace vq
