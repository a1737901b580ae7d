#include "tests/golden/token_grid_parts.h"

#include <algorithm>
#include <bit>

#include "formats/token_frames.h"

namespace vq::golden {
namespace {

constexpr size_t kZstdBlock = 128 << 10;

// Numbers of `bits` bits, lowest bit first, one bit after the other.
std::string bit_column(const std::vector<int>& values, int bits) {
  std::string out((values.size() * bits + 7) / 8, '\0');
  size_t at = 0;
  for (const int value : values) {
    for (int bit = 0; bit < bits; ++bit, ++at) {
      if (value >> bit & 1) out[at / 8] = static_cast<char>(out[at / 8] | 1 << (at % 8));
    }
  }
  return out;
}

std::string token_column(const std::vector<int>& tokens, int packing, int bits) {
  if (packing == 0) return bit_column(tokens, bits);
  std::string low;
  std::vector<int> high;
  for (const int token : tokens) {
    low += static_cast<char>(token & 0xff);
    high.push_back(token >> 8);
  }
  if (bits == 0) low.clear();
  return low + bit_column(high, std::max(bits - 8, 0));
}

}  // namespace

std::string le(uint64_t value, int bytes) {
  std::string out;
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i));
  return out;
}

std::string frame(const std::string& content) {
  std::string out = le(0xFD2FB528, 4);
  const size_t n = content.size();
  const int size_code = n < 256 ? 0 : n < 65792 ? 1 : 2;
  out += static_cast<char>(size_code << 6 | 0x20 | 0x04);  // one segment, with checksum
  out += size_code == 0 ? le(n, 1) : size_code == 1 ? le(n - 256, 2) : le(n, 4);
  size_t at = 0;
  do {
    const size_t size = std::min(kZstdBlock, n - at);
    const bool last = at + size == n;
    out += le(size << 3 | (last ? 1 : 0), 3) + content.substr(at, size);
    at += size;
  } while (at < n);
  // The checksum is of the content, so any frame with this content ends with it.
  const Bytes compressed = FrameCompressor(1).compress(as_bytes(content));
  return out + std::string(compressed.end() - 4, compressed.end());
}

std::string skippable(uint32_t magic, const std::string& body) {
  return le(magic, 4) + le(body.size(), 4) + body;
}

std::string header_line(const Header& h) {
  return "{\"format\":\"" + h.format + "\",\"version\":" + std::to_string(h.version) +
         ",\"height\":" + std::to_string(h.height) + ",\"width\":" + std::to_string(h.width) +
         ",\"codebook_size\":" + std::to_string(h.codebook_size) + ",\"codec\":\"" + h.codec +
         "\",\"mask\":" + (h.mask ? "true" : "false") + h.rest + "}\n";
}

std::string block_content(const Header& h, const Block& block) {
  const int bits = std::bit_width(static_cast<unsigned>(h.codebook_size - 1));
  const int packing = block.packing >= 0 ? block.packing : bits <= 10 ? 1 : 0;
  std::vector<int> stored, bitmap;
  std::string keys, json;
  for (const Record& record : block.records) {
    keys += record.key + "\n";
    json += record.json + "\n";
    for (const int token : record.tokens) {
      bitmap.push_back(token == h.codebook_size);
      if (token != h.codebook_size) stored.push_back(token);
    }
  }
  const bool masked = stored.size() < bitmap.size();
  const bool all_empty = std::all_of(block.records.begin(), block.records.end(),
                                     [](const Record& r) { return r.json == "{}"; });
  uint64_t codec = 0;
  for (int i = 0; i < 4 && !h.codec.empty(); ++i) {
    codec |= std::stoull(h.codec.substr(2 * i, 2), nullptr, 16) << (8 * i);
  }
  const int count = block.count >= 0 ? block.count : static_cast<int>(block.records.size());
  const int flags = block.flags >= 0 ? block.flags : masked;
  return block.magic + le(packing, 1) + le(flags, 1) + le(count, 2) + le(h.height, 2) +
         le(h.width, 2) + le(h.codebook_size - 1, 2) + le(codec, 4) + le(block.first, 4) + keys +
         (flags & 1 ? bit_column(bitmap, 1) : "") + token_column(stored, packing, bits) +
         (all_empty ? "" : json);
}

std::string end_line(uint64_t records, uint64_t blocks) {
  return "{\"end\":true,\"records\":" + std::to_string(records) +
         ",\"blocks\":" + std::to_string(blocks) + "}\n";
}

std::string index_frame(size_t header_size, const std::vector<size_t>& block_sizes,
                        const std::vector<int>& counts, size_t end_size) {
  uint64_t bytes = header_size + end_size, records = 0;
  std::string sizes, numbers;
  for (size_t i = 0; i < block_sizes.size(); ++i) {
    bytes += block_sizes[i];
    records += static_cast<uint64_t>(counts[i]);
    sizes += le(block_sizes[i], 4);
    numbers += le(static_cast<uint64_t>(counts[i]), 2);
  }
  const std::string inner = frame("VQIX" + le(header_size, 4) + le(bytes, 8) + le(records, 8) +
                                  le(block_sizes.size(), 4) + sizes + numbers);
  return skippable(0x184D2A5A, inner + le(inner.size() + 16, 4) + "VQIX");
}

std::string stream(const Header& header, const std::vector<Block>& blocks, bool index) {
  std::string out = frame(header_line(header));
  const size_t header_size = out.size();
  std::vector<size_t> sizes;
  std::vector<int> counts;
  uint32_t first = 0;
  for (Block block : blocks) {
    block.first += first;  // a block that says 0 is numbered as it should be
    const std::string bytes = frame(block_content(header, block));
    out += bytes;
    sizes.push_back(bytes.size());
    counts.push_back(static_cast<int>(block.records.size()));
    first += static_cast<uint32_t>(block.records.size());
  }
  const std::string end = frame(end_line(first, blocks.size()));
  out += end;
  return index ? out + index_frame(header_size, sizes, counts, end.size()) : out;
}

std::string example() {
  Block block;
  block.records = {{"a", {5, 17, 512, 3, 3, 511}, R"({"caption":"red"})"},
                   {"b", {0, 1, 2, 256, 257, 511}, "{}"}};
  return stream(Header{}, {block});
}

}  // namespace vq::golden
