// One block of records <-> the bytes inside its zstd frame (token_grid.md, "The block").
//
//   head (22 bytes) | keys | [mask bitmap] | tokens, packed | JSON lines
//
// Nothing here compresses or reads files. Laws: unpacking what was packed gives the same records;
// any bytes whatever are either a block that keeps every rule or a vq::Error, never a wrong read.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "formats/bytes.h"
#include "formats/token_grid.h"

namespace vq {

// How tokens lie in their column: n-bit numbers one after the other, or all low bytes followed by
// all high parts of n - 8 bits. Lowest bit first in both. zstd finds more in low bytes while tokens
// are short; from 11 bits on it does not, and plain bits are smaller.
enum class Packing : uint8_t { lsb = 0, lohi = 1 };

inline constexpr size_t kBlockHead = 22;
inline constexpr std::string_view kBlockMagic = "VQB1";

// ceil(log2 K): bits of one token, 0 .. 16.
int token_bits(int codebook_size);
// Bytes of the token column.
uint64_t token_column_bytes(Packing packing, int bits, uint64_t tokens);
// The first eight digits of the codec's name as a number; 0 when it has none.
uint32_t codec_tag(std::string_view codec);

struct BlockHead {
  Packing packing = Packing::lsb;
  bool mask = false;  // is there a bitmap?
  int records = 0;
  int height = 0, width = 0, codebook_size = 0;
  uint32_t codec = 0;  // codec_tag
  uint32_t first = 0;  // number of the first record in its stream
};

// Reads and checks the head alone; throws vq::Error with an empty place.
BlockHead read_block_head(std::span<const uint8_t> content);

class BlockPacker {
 public:
  explicit BlockPacker(const GridHeader& header);

  // Takes a copy. Throws vq::Error with an empty place, and changes nothing then.
  void add(const TokenRecord& record);
  int records() const { return records_; }
  size_t raw_bytes() const;  // about how large pack() will be

  // The block's content, which stays until the next call; `borders` are the ends of its columns,
  // where a compressor does well to begin anew. Empties the packer.
  const Bytes& pack(uint32_t first, std::vector<size_t>& borders);

 private:
  void add_tokens(const std::vector<int32_t>& tokens, bool masked);

  GridHeader header_;
  int records_ = 0;
  bool any_mask_ = false, any_json_ = false;
  std::string keys_, json_;
  std::vector<uint16_t> tokens_;  // of the unmasked positions
  Bytes mask_;                    // a bit a position
  std::string line_;              // these two are kept for their memory
  Bytes content_;
};

class BlockUnpacker {
 public:
  // Checks everything but the values of the records; throws vq::Error with an empty place. The
  // bytes belong to the unpacker from now on, also after an error.
  void open(Bytes content, size_t size);
  const BlockHead& head() const { return head_; }
  Bytes release();  // gives the memory back, for the next block

  int left() const { return head_.records - at_; }
  // The next record. Throws when it breaks a rule; the one after it can still be read.
  void next(TokenRecord& record);
  // Passes over records without looking at them.
  void skip(int records);
  void rewind();

 private:
  struct Line {
    std::string_view key, json;
  };
  Line next_line();
  void unpack(uint64_t from, int32_t* to, int n) const;
  void unpack_masked(int32_t* to);
  uint64_t masked_in(uint64_t from, uint64_t n) const;

  Bytes content_;  // 8 bytes longer than the block, so that 64 bits can be loaded anywhere in it
  BlockHead head_;
  int length_ = 0, bits_ = 0;
  uint64_t stored_ = 0;       // tokens in the token column
  std::vector<int32_t> row_;  // the stored tokens of one record
  size_t keys_ = 0, mask_ = 0, tokens_ = 0, high_ = 0, json_ = 0, end_ = 0;  // where columns begin
  int at_ = 0;                                                               // next record,
  size_t key_at_ = 0, json_at_ = 0;                                          // its key and JSON,
  uint64_t token_at_ = 0;  // and its first stored token
};

}  // namespace vq
