#include "formats/token_block.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "formats/bit_column.h"
#include "formats/error.h"
#include "formats/json_text.h"
#include "formats/token_header.h"

namespace vq {
namespace {

constexpr size_t kPadding = kColumnSlack;  // behind a block's content
constexpr uint8_t kMaskFlag = 1;

[[noreturn]] void fail(std::string what) { throw Error("", std::move(what)); }

uint64_t bytes_of_bits(uint64_t bits) { return (bits + 7) / 8; }

// Appends the token column; `low` is where its first part ends.
void pack_tokens(Bytes& out, const std::vector<uint16_t>& tokens, Packing packing, int bits,
                 size_t& low) {
  const size_t begin = out.size(), n = tokens.size();
  const size_t bytes = static_cast<size_t>(token_column_bytes(packing, bits, n));
  out.resize(begin + bytes + kColumnSlack);
  uint8_t* const to = out.data() + begin;
  if (packing == Packing::lsb) {
    pack_bits(to, tokens.data(), n, bits, 0);
    low = begin + bytes;
  } else {
    const size_t low_bytes = bits > 0 ? n : 0;
    pack_low_bytes(to, tokens.data(), low_bytes);
    pack_bits(to + low_bytes, tokens.data(), n, std::max(bits - 8, 0), 8);
    low = begin + low_bytes;
  }
  out.resize(begin + bytes);
}

size_t count_lines(const uint8_t* from, size_t n) {
  return static_cast<size_t>(std::count(from, from + n, '\n'));
}

// The end of `lines` lines that begin at `at`; 0 when there are not so many.
size_t end_of_lines(const uint8_t* content, size_t at, size_t end, int lines) {
  for (; lines > 0; --lines) {
    const void* newline = at < end ? std::memchr(content + at, '\n', end - at) : nullptr;
    if (!newline) return 0;
    at = static_cast<size_t>(static_cast<const uint8_t*>(newline) - content) + 1;
  }
  return at;
}

// The bits behind the last one used must be zero, so that one block has one spelling.
bool clean_end(const uint8_t* column, uint64_t bits) {
  return bits % 8 == 0 || column[bits / 8] >> (bits % 8) == 0;
}

}  // namespace

int token_bits(int codebook_size) {
  return std::bit_width(static_cast<uint32_t>(codebook_size - 1));
}

uint64_t token_column_bytes(Packing packing, int bits, uint64_t tokens) {
  if (packing == Packing::lsb) return bytes_of_bits(tokens * bits);
  return bits == 0 ? 0 : tokens + bytes_of_bits(tokens * std::max(bits - 8, 0));
}

uint32_t codec_tag(std::string_view codec) {
  uint32_t tag = 0;
  for (size_t i = 0; i < 8 && codec.size() >= 8; ++i) {
    const char c = codec[i];
    tag = tag << 4 | static_cast<uint32_t>(c <= '9' ? c - '0' : c - 'a' + 10);
  }
  return tag;
}

BlockHead read_block_head(std::span<const uint8_t> content) {
  if (content.size() < kBlockHead)
    fail("a block of only " + std::to_string(content.size()) + " bytes");
  const uint8_t* p = content.data();
  if (as_text(content.first(4)) != kBlockMagic) fail("a frame that is neither a line nor a block");
  if (p[4] > 1) fail(fmt::format("packing {} is not known", p[4]));
  if (p[5] > kMaskFlag) fail(fmt::format("block flags {:#x} are not known", p[5]));
  BlockHead head;
  head.packing = static_cast<Packing>(p[4]);
  head.mask = p[5] & kMaskFlag;
  head.records = load_u16(p + 6);
  head.height = load_u16(p + 8);
  head.width = load_u16(p + 10);
  head.codebook_size = load_u16(p + 12) + 1;
  // The bytes that the digits spell: the first two digits are the first byte.
  for (int i = 14; i < 18; ++i) head.codec = head.codec << 8 | p[i];
  head.first = load_u32(p + 18);
  if (head.first > kMaxRecords - head.records) fail("a block with an impossible record number");
  if (head.records == 0) fail("a block without records");
  if (head.height == 0 || head.width == 0 ||
      static_cast<int64_t>(head.height) * head.width > kMaxTokens) {
    fail(fmt::format("a block with grids of {}x{}", head.height, head.width));
  }
  return head;
}

BlockPacker::BlockPacker(const GridHeader& header) : header_(header) {}

size_t BlockPacker::raw_bytes() const {
  return keys_.size() + json_.size() + (any_mask_ ? mask_.size() : 0) +
         tokens_.size() * token_bits(header_.codebook_size) / 8;
}

void BlockPacker::add(const TokenRecord& record) {
  const bool masked = check_record(header_, record);
  line_.clear();
  if (!record.more.empty()) append_json(line_, record.more);
  check_record_json(line_);
  add_tokens(record.tokens, masked);
  keys_ += record.key;
  keys_ += '\n';
  any_json_ = any_json_ || !line_.empty();
  json_ += line_.empty() ? "{}" : line_;
  json_ += '\n';
  ++records_;
}

void BlockPacker::add_tokens(const std::vector<int32_t>& tokens, bool masked) {
  const size_t length = tokens.size();
  const size_t before = tokens_.size();
  const uint64_t first_bit = static_cast<uint64_t>(records_) * length;
  mask_.resize(bytes_of_bits(first_bit + length));
  tokens_.resize(before + length);
  uint16_t* to = tokens_.data() + before;
  if (!masked) {
    narrow(to, tokens.data(), length);
    return;
  }
  any_mask_ = true;
  const int32_t mask = header_.codebook_size;
  uint8_t* column = mask_.data() + first_bit / 8;
  size_t waiting = first_bit % 8;  // bits that are not a whole byte yet
  unsigned bits = *column;
  // Each token is written, and kept when it is no [mask]: there is room, and nothing to guess
  // wrong.
  const auto take = [&](int32_t token, size_t bit) {
    const bool is_mask = token == mask;
    bits |= static_cast<unsigned>(is_mask) << bit;
    *to = static_cast<uint16_t>(token);
    to += !is_mask;
  };
  size_t i = 0;
  for (; i + 8 <= length; i += 8) {
    for (size_t j = 0; j < 8; ++j) take(tokens[i + j], waiting + j);
    *column++ = static_cast<uint8_t>(bits);
    bits >>= 8;
  }
  for (; i < length; ++i) take(tokens[i], waiting++);
  for (size_t done = 0; done < waiting; done += 8, bits >>= 8) {
    *column++ = static_cast<uint8_t>(bits);
  }
  tokens_.resize(static_cast<size_t>(to - tokens_.data()));
}

const Bytes& BlockPacker::pack(uint32_t first, std::vector<size_t>& borders) {
  const int bits = token_bits(header_.codebook_size);
  const uint32_t codec = codec_tag(header_.codec);
  const Packing packing = bits <= 10 ? Packing::lohi : Packing::lsb;
  Bytes& out = content_;
  out.clear();
  out.reserve(kBlockHead + kColumnSlack + keys_.size() + mask_.size() + json_.size() +
              token_column_bytes(packing, bits, tokens_.size()));
  out.insert(out.end(), kBlockMagic.begin(), kBlockMagic.end());
  out.push_back(static_cast<uint8_t>(packing));
  out.push_back(any_mask_ ? kMaskFlag : 0);
  append_u16(out, static_cast<uint16_t>(records_));
  append_u16(out, static_cast<uint16_t>(header_.height));
  append_u16(out, static_cast<uint16_t>(header_.width));
  append_u16(out, static_cast<uint16_t>(header_.codebook_size - 1));
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<uint8_t>(codec >> shift));
  append_u32(out, first);

  borders.clear();
  const auto column = [&](auto begin, auto end) {
    out.insert(out.end(), begin, end);
    borders.push_back(out.size());
  };
  column(keys_.begin(), keys_.end());
  if (any_mask_) column(mask_.begin(), mask_.end());
  size_t low = 0;
  pack_tokens(out, tokens_, packing, bits, low);
  borders.push_back(low);
  borders.push_back(out.size());
  if (any_json_) column(json_.begin(), json_.end());
  borders.erase(std::unique(borders.begin(), borders.end()), borders.end());

  keys_.clear(), json_.clear(), tokens_.clear(), mask_.clear();
  records_ = 0;
  any_mask_ = any_json_ = false;
  return out;
}

void BlockUnpacker::open(Bytes content, size_t size) {
  head_ = BlockHead{};  // nothing to read, until all of it is checked
  at_ = 0;
  content_ = std::move(content);
  end_ = size;
  const BlockHead head = read_block_head({content_.data(), size});
  if (content_.size() < size + kPadding) content_.resize(size + kPadding);
  length_ = head.height * head.width;
  bits_ = token_bits(head.codebook_size);
  const uint64_t positions = static_cast<uint64_t>(head.records) * length_;
  const uint64_t mask_bytes = head.mask ? bytes_of_bits(positions) : 0;

  // Every size is compared with what is left before it is used.
  const auto take = [&](size_t at, uint64_t bytes, const char* column) {
    if (bytes > size - at) fail(fmt::format("the block ends within its {}", column));
    return at + static_cast<size_t>(bytes);
  };
  const uint8_t* p = content_.data();
  keys_ = kBlockHead;
  mask_ = end_of_lines(p, keys_, size, head.records);
  if (mask_ == 0) fail("the block ends within its keys");
  tokens_ = take(mask_, mask_bytes, "[mask] bitmap");
  stored_ = positions - (head.mask ? masked_in(0, positions) : 0);
  json_ = take(tokens_, token_column_bytes(head.packing, bits_, stored_), "tokens");
  high_ = tokens_ + (head.packing == Packing::lohi && bits_ > 0 ? stored_ : 0);

  const size_t records = static_cast<size_t>(head.records);
  if (json_ < end_ && (p[end_ - 1] != '\n' || count_lines(p + json_, end_ - json_) != records)) {
    fail(fmt::format("the block has {} records and another number of JSON lines", records));
  }
  const int high_bits = head.packing == Packing::lohi ? std::max(bits_ - 8, 0) : bits_;
  if ((head.mask && !clean_end(p + mask_, positions)) ||
      !clean_end(p + high_, stored_ * high_bits)) {
    fail("the block has bits set behind the last token");
  }
  head_ = head;
  rewind();
}

Bytes BlockUnpacker::release() {
  head_.records = at_ = 0;
  return std::move(content_);
}

void BlockUnpacker::rewind() {
  at_ = 0;
  key_at_ = keys_;
  json_at_ = json_;
  token_at_ = 0;
}

// Set bits among n from `from` on.
uint64_t BlockUnpacker::masked_in(uint64_t from, uint64_t n) const {
  const uint8_t* bitmap = content_.data() + mask_;
  uint64_t count = 0;
  while (n > 0) {
    const int step = static_cast<int>(std::min<uint64_t>(n, 56));
    const uint64_t word = load_u64(bitmap + from / 8) >> (from % 8);
    count += static_cast<uint64_t>(std::popcount(word & ((uint64_t{1} << step) - 1)));
    from += step;
    n -= step;
  }
  return count;
}

BlockUnpacker::Line BlockUnpacker::next_line() {
  const char* p = reinterpret_cast<const char*>(content_.data());
  const auto line = [&](size_t& at, size_t end) {
    const char* from = p + at;
    const char* newline = static_cast<const char*>(std::memchr(from, '\n', end - at));
    at = static_cast<size_t>(newline - p) + 1;  // open() has counted them
    return std::string_view(from, newline);
  };
  Line result{line(key_at_, mask_), {}};
  if (json_ < end_) result.json = line(json_at_, end_);
  ++at_;
  return result;
}

void BlockUnpacker::unpack(uint64_t from, int32_t* to, int n) const {
  const uint8_t* p = content_.data();
  const size_t count = static_cast<size_t>(n);
  if (head_.packing == Packing::lsb || bits_ == 0) {
    unpack_bits(p + tokens_, from, to, count, bits_);
  } else {
    const uint8_t* const low = p + tokens_ + from;
    for (size_t i = 0; i < count; ++i) to[i] = low[i];
    if (bits_ > 8) unpack_high_bits(p + high_, from, to, count, bits_ - 8);
  }
  if (!all_below(to, count, head_.codebook_size)) {
    fail(fmt::format("token {} is outside the codebook (0..{})", *std::max_element(to, to + n),
                     head_.codebook_size - 1));
  }
}

void BlockUnpacker::unpack_masked(int32_t* to) {
  const uint64_t first_bit = static_cast<uint64_t>(at_ - 1) * length_;
  const int stored = length_ - static_cast<int>(masked_in(first_bit, length_));
  row_.resize(static_cast<size_t>(length_) + 1);  // one more: the last load may be behind the end
  token_at_ += static_cast<uint64_t>(stored);
  unpack(token_at_ - stored, row_.data(), stored);
  const uint8_t* bitmap = content_.data() + mask_;
  const int32_t* from = row_.data();
  const int32_t k = head_.codebook_size;
  for (int i = 0; i < length_;) {
    const uint64_t bit = first_bit + static_cast<uint64_t>(i);
    uint64_t word = load_u64(bitmap + bit / 8) >> (bit % 8);
    for (const int stop = std::min(i + 56, length_); i < stop; ++i, word >>= 1) {
      // No branch: half masked, it would be guessed wrong half of the time.
      const int32_t masked = static_cast<int32_t>(word & 1);
      to[i] = *from + (-masked & (k - *from));
      from += 1 - masked;
    }
  }
}

void BlockUnpacker::next(TokenRecord& record) {
  const Line line = next_line();
  record.key.assign(line.key);
  record.tokens.resize(static_cast<size_t>(length_));
  if (head_.mask) {
    unpack_masked(record.tokens.data());
  } else {
    token_at_ += static_cast<uint64_t>(length_);
    unpack(token_at_ - length_, record.tokens.data(), length_);
  }
  check_key(line.key, "");
  // A block without a JSON column has no such line at all.
  if (line.json.empty() && line.json.data() != nullptr) fail("its JSON is an empty line");
  const bool empty = line.json.empty() || line.json == "{}";
  if (!empty) {
    check_record_json(line.json);
    parse_json_into(line.json, record.more, "");
    if (!record.more.is_object()) fail("its JSON is not an object");
  } else if (!record.more.is_object() || !record.more.empty()) {
    record.more = Json::object();
  }
}

void BlockUnpacker::skip(int records) {
  for (; records > 0; --records) {
    const uint64_t first_bit = static_cast<uint64_t>(at_) * length_;
    token_at_ += static_cast<uint64_t>(length_) - (head_.mask ? masked_in(first_bit, length_) : 0);
    next_line();
  }
}

}  // namespace vq
