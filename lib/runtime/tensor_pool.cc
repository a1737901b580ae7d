#include "lib/runtime/tensor_pool.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/alloc_cpu.h>
#include <sys/mman.h>

#include <algorithm>
#include <iterator>

namespace vq {
namespace {

constexpr size_t kLine = 64, kPage = 4096;
constexpr size_t kLeast = size_t{64} << 10;

size_t up(size_t bytes, size_t step) { return (bytes + step - 1) / step * step; }

}  // namespace

TensorPool::~TensorPool() {
  for (const Region& region : regions_) munmap(region.start, region.size);
}

void* TensorPool::take(size_t bytes) {
  bytes = up(std::max<size_t>(bytes, 1), kLine);
  const std::lock_guard<std::mutex> lock(mutex_);
  for (size_t region = 0; region < regions_.size(); ++region) {
    if (void* block = take_from(region, bytes)) return block;
  }
  return grow(bytes) ? take_from(regions_.size() - 1, bytes) : nullptr;
}

void* TensorPool::take_from(size_t number, size_t bytes) {
  Region& region = regions_[number];
  const auto gap = std::find_if(region.gaps.begin(), region.gaps.end(),
                                [&](const auto& candidate) { return candidate.second >= bytes; });
  if (gap == region.gaps.end()) return nullptr;
  const auto [offset, size] = *gap;
  region.gaps.erase(gap);
  if (size > bytes) region.gaps.emplace(offset + bytes, size - bytes);
  given_ -= std::min(given_, bytes);
  void* block = region.start + offset;
  blocks_.emplace(block, Block{number, offset, bytes});
  return block;
}

bool TensorPool::grow(size_t bytes) {
  const size_t least = up(bytes, kPage);
  for (const size_t size : {std::max(least, region_), least}) {
    void* start = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (start == MAP_FAILED) continue;
    regions_.push_back({static_cast<char*>(start), size, {{0, size}}});
    return true;
  }
  return false;
}

bool TensorPool::give(void* given) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = blocks_.find(given);
  if (found == blocks_.end()) return false;
  const Block block = found->second;
  blocks_.erase(found);
  std::map<size_t, size_t>& gaps = regions_[block.region].gaps;
  auto gap = gaps.emplace(block.offset, block.bytes).first;
  if (const auto next = std::next(gap);
      next != gaps.end() && gap->first + gap->second == next->first) {
    gap->second += next->second;
    gaps.erase(next);
  }
  if (gap != gaps.begin()) {
    if (const auto before = std::prev(gap); before->first + before->second == gap->first) {
      before->second += gap->second;
      gaps.erase(gap);
    }
  }
  given_ += block.bytes;
  if (given_ > kept_) give_back();
  return true;
}

void TensorPool::give_back() {
  for (const Region& region : regions_) {
    for (const auto& [offset, size] : region.gaps) {
      const size_t first = up(offset, kPage), end = (offset + size) / kPage * kPage;
      if (first < end) madvise(region.start + first, end - first, MADV_DONTNEED);
    }
  }
  given_ = 0;
}

size_t TensorPool::mapped() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  size_t bytes = 0;
  for (const Region& region : regions_) bytes += region.size;
  return bytes;
}

namespace {

// Never destroyed: tensors of static objects may outlive anything.
TensorPool& pool() {
  static TensorPool& everyone = *new TensorPool;
  return everyone;
}

void give(void* block) {
  // Small ones, and what was taken before there was a pool.
  if (!pool().give(block)) c10::free_cpu(block);
}

class PoolAllocator : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes) override {
    void* block = bytes >= kLeast ? pool().take(bytes) : nullptr;
    if (block == nullptr) block = c10::alloc_cpu(bytes);  // which says it where there is no more
    return {block, block, &give, c10::Device(c10::DeviceType::CPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &give; }
  void copy_data(void* to, const void* from, size_t bytes) const override {
    default_copy_data(to, from, bytes);
  }
};

}  // namespace

void pool_tensors() {
  static PoolAllocator& allocator = *new PoolAllocator;
  c10::SetCPUAllocator(&allocator);
}

}  // namespace vq
