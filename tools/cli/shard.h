// A part of a run: every count-th of its records, from record `index` on. All parts together are
// the run.
#pragma once

#include <cstdint>
#include <string>

namespace vq {

struct Shard {
  uint64_t index = 0, count = 1;
  bool holds(uint64_t record) const { return record % count == index; }
};

// "I/N", or all of them for "". Throws vq::Error (usage) for anything else.
Shard parse_shard(const std::string& text);

}  // namespace vq
