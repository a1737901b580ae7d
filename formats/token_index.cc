#include "formats/token_index.h"

#include <algorithm>
#include <numeric>

#include "formats/error.h"
#include "formats/token_header.h"

namespace vq {
namespace {

constexpr size_t kTableHead = 28;
constexpr size_t kSmallestFrame = 13;  // a frame with content size and checksum has no fewer bytes

constexpr uint64_t kHashPrime = 0x100000001B3;

void append_magic(Bytes& out) { out.insert(out.end(), kTableMagic.begin(), kTableMagic.end()); }

uint32_t blocks_of_table(std::span<const uint8_t> table) {
  if (table.size() < kTableHead || as_text(table.first(4)) != kTableMagic) {
    throw Error("", "the index has no table");
  }
  const uint32_t blocks = load_u32(table.data() + 24);
  if (blocks > kMaxIndexBlocks || table.size() != kTableHead + 6 * static_cast<size_t>(blocks)) {
    throw Error("", "the index's table has the wrong size");
  }
  return blocks;
}

// Decodes the table into `frame` and returns its number of blocks.
uint32_t read_table(std::span<const uint8_t> body, Frame& frame) {
  if (body.size() < kIndexFooter || index_length(body.last(kIndexFooter)) != body.size() + 8) {
    throw Error("", "the index does not end with its length");
  }
  read_one_frame(body.first(body.size() - kIndexFooter), frame);
  return blocks_of_table(frame.content());
}

}  // namespace

uint32_t index_length(std::span<const uint8_t> footer) {
  if (footer.size() != kIndexFooter || as_text(footer.last(4)) != kTableMagic) return 0;
  return load_u32(footer.data());
}

Bytes index_to_frame(const TokenIndex& index, FrameCompressor& compressor) {
  Bytes table;
  table.reserve(kTableHead + 6 * index.sizes.size());
  append_magic(table);
  append_u32(table, index.header_bytes);
  append_u64(table, index.stream_bytes);
  append_u64(table, index.records);
  append_u32(table, static_cast<uint32_t>(index.sizes.size()));
  for (const uint32_t size : index.sizes) append_u32(table, size);
  for (const uint16_t count : index.counts) append_u16(table, count);

  const Bytes& inner = compressor.compress(table);
  Bytes out;
  append_u32(out, kIndexMagic);
  append_u32(out, static_cast<uint32_t>(inner.size() + kIndexFooter));
  out.insert(out.end(), inner.begin(), inner.end());
  append_u32(out, static_cast<uint32_t>(8 + inner.size() + kIndexFooter));
  append_magic(out);
  return out;
}

TokenIndex index_from_body(std::span<const uint8_t> body) {
  Frame frame;
  const uint32_t blocks = read_table(body, frame);
  const uint8_t* p = frame.buffer.data();
  TokenIndex index;
  index.header_bytes = load_u32(p + 4);
  index.stream_bytes = load_u64(p + 8);
  index.records = load_u64(p + 16);
  index.sizes.resize(blocks);
  index.counts.resize(blocks);
  for (uint32_t i = 0; i < blocks; ++i) {
    index.sizes[i] = load_u32(p + kTableHead + 4 * size_t{i});
    index.counts[i] = load_u16(p + kTableHead + 4 * size_t{blocks} + 2 * size_t{i});
  }
  const uint64_t bytes = std::accumulate(index.sizes.begin(), index.sizes.end(),
                                         uint64_t{index.header_bytes} + kSmallestFrame);
  const uint64_t records = std::accumulate(index.counts.begin(), index.counts.end(), uint64_t{0});
  const bool whole = std::all_of(index.sizes.begin(), index.sizes.end(),
                                 [](uint32_t size) { return size >= kSmallestFrame; });
  if (!whole || index.header_bytes < kSmallestFrame || bytes > index.stream_bytes ||
      records != index.records) {
    throw Error("", "the index contradicts itself");
  }
  return index;
}

IndexTally check_index(std::span<const uint8_t> body) {
  Frame frame;
  IndexTally tally;
  tally.blocks = read_table(body, frame);
  const uint8_t* p = frame.buffer.data();
  tally.header_bytes = load_u32(p + 4);
  tally.stream_bytes = load_u64(p + 8);
  tally.records = load_u64(p + 16);
  const uint8_t* const sizes = p + kTableHead;
  const uint8_t* const counts = sizes + 4 * tally.blocks;
  for (uint64_t i = 0; i < tally.blocks; ++i) tally.add_size(load_u32(sizes + 4 * i));
  for (uint64_t i = 0; i < tally.blocks; ++i) tally.add_count(load_u16(counts + 2 * i));
  return tally;
}

// FNV-1a's step, on whole numbers.
void IndexTally::add_size(uint32_t size) { sizes_hash = (sizes_hash ^ size) * kHashPrime + 1; }
void IndexTally::add_count(uint16_t n) { counts_hash = (counts_hash ^ n) * kHashPrime + 1; }

void IndexTally::add_block(uint64_t size, int n) {
  add_size(static_cast<uint32_t>(size));
  add_count(static_cast<uint16_t>(n));
  records += static_cast<uint64_t>(n);
  ++blocks;
}

uint64_t records_of_table(std::span<const uint8_t> table) {
  blocks_of_table(table);
  return load_u64(table.data() + 16);
}

}  // namespace vq
