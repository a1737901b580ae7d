// Where the blocks of a stream lie: the skippable frame at its end (token_grid.md, "The index").
//
// All of it is optional: a reader without it reads from the front. Sizes are relative to the index
// itself, so streams that were joined by `cat` are found one before the other from the end.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "formats/bytes.h"
#include "formats/token_frames.h"

namespace vq {

struct TokenIndex {
  uint32_t header_bytes = 0;  // compressed size of the header frame
  uint64_t stream_bytes = 0;  // from the header's first byte to the index's first byte
  uint64_t records = 0;
  std::vector<uint32_t> sizes;   // of each block's frame, compressed
  std::vector<uint16_t> counts;  // records in each block
};

inline constexpr std::string_view kTableMagic = "VQIX";
inline constexpr size_t kIndexFooter = 8;  // the last bytes of the frame: its length, "VQIX"

// The whole skippable frame.
Bytes index_to_frame(const TokenIndex& index, FrameCompressor& compressor);

// All that a table says, in a few numbers: a reader from the front counts along, and can compare
// without keeping a table of its own. Equal tallies come from equal tables, but for one chance in
// 2^64.
struct IndexTally {
  uint64_t header_bytes = 0, stream_bytes = 0, records = 0, blocks = 0;
  uint64_t sizes_hash = 0, counts_hash = 0;

  void add_size(uint32_t size);
  void add_count(uint16_t records);
  void add_block(uint64_t size, int records);
  bool operator==(const IndexTally&) const = default;
};

// Both take what lies behind the skippable frame's first 8 bytes and throw vq::Error with an empty
// place when a rule is broken. check_index() takes less memory.
TokenIndex index_from_body(std::span<const uint8_t> body);
IndexTally check_index(std::span<const uint8_t> body);

// The records that a table counts, given the content of the frame that holds it.
uint64_t records_of_table(std::span<const uint8_t> table);

// The length of the index frame that ends with these 8 bytes; 0 when none does.
uint32_t index_length(std::span<const uint8_t> footer);

}  // namespace vq
