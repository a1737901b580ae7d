#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "formats/error.h"
#include "formats/token_block.h"
#include "formats/token_frames.h"
#include "formats/token_grid.h"
#include "formats/token_header.h"
#include "formats/token_index.h"

namespace vq {
namespace {

constexpr uint64_t kLargestIndex = kMaxFrameContent + kMaxFrameOverhead;

// One stream of the file. Its table is read again when it is needed: a file of many streams must
// not fill memory with tables.
struct Segment {
  uint64_t first = 0;  // number in the file of its first record
  uint64_t records = 0;
  uint64_t begin = 0;  // of the header frame
  uint64_t index_begin = 0, index_size = 0;
  bool mask = false;  // as its header says
};

}  // namespace

struct TokenFile::State {
  Input input;
  GridHeader header;
  std::vector<Segment> segments;
  uint64_t records = 0;

  size_t table_of = SIZE_MAX;  // the segment whose table is loaded
  TokenIndex table;
  uint64_t block_offset = UINT64_MAX;  // of the block that is unpacked
  uint64_t block_first = 0;            // number in the file of its first record
  Frame frame;
  BlockUnpacker unpacker;

  explicit State(Input in) : input(std::move(in)) {}

  Bytes read_at(uint64_t offset, uint64_t size) {
    input.seek(offset);
    Bytes bytes(size);
    input.read_exactly(bytes.data(), size);
    return bytes;
  }

  [[noreturn]] void no_index(const std::string& why) {
    throw Error(input.name(), "cannot be read by record number: " + why,
                "vq-info --text reads it from the front");
  }

  TokenIndex load_table(const Segment& segment) {
    const Bytes frame_bytes = read_at(segment.index_begin, segment.index_size);
    if (load_u32(frame_bytes.data()) != kIndexMagic ||
        load_u32(frame_bytes.data() + 4) != segment.index_size - 8) {
      no_index(fmt::format("the index at byte {} is damaged", segment.index_begin));
    }
    try {
      return index_from_body(std::span(frame_bytes).subspan(8));
    } catch (const Error& e) {
      no_index(fmt::format("the index at byte {}: {}", segment.index_begin, e.message()));
    }
  }

  // The stream that ends at `end`.
  Segment segment_before(uint64_t end) {
    if (end < kIndexFooter) no_index("a stream has no index");
    const uint32_t size = index_length(read_at(end - kIndexFooter, kIndexFooter));
    if (size < 2 * kIndexFooter || size > std::min(end, kLargestIndex)) {
      no_index(fmt::format("no index ends at byte {}", end));
    }
    Segment segment;
    segment.index_begin = end - size;
    segment.index_size = size;
    table = load_table(segment);
    if (table.stream_bytes > segment.index_begin) {
      no_index(fmt::format("the index at byte {} is of another file", segment.index_begin));
    }
    segment.begin = segment.index_begin - table.stream_bytes;
    segment.records = table.records;
    return segment;
  }

  void read_header_of(Segment& segment) {
    const std::string where =
        segment.begin == 0 ? input.name()
                           : fmt::format("{}: stream at byte {}", input.name(), segment.begin);
    try {
      read_one_frame(read_at(segment.begin, table.header_bytes), frame);
    } catch (const Error& e) {
      throw e.within(where + ": header");
    }
    std::string_view line = as_text(frame.content());
    if (line.ends_with('\n')) line.remove_suffix(1);
    const GridHeader next = header_from_line(line, where);
    // Found from the end to the front, so the last one comes first.
    if (!segments.empty()) check_compatible(next, header, where);
    header = next;
    segment.mask = next.mask;
  }

  void find_segments() {
    if (!input.seekable()) no_index("it is a pipe, not a file");
    for (uint64_t end = input.size(); end > 0;) {
      Segment segment = segment_before(end);
      read_header_of(segment);
      segments.push_back(segment);
      end = segment.begin;
    }
    if (segments.empty()) throw Error(input.name(), "is empty; a token grid has at least a header");
    std::reverse(segments.begin(), segments.end());
    for (Segment& segment : segments) {
      segment.first = records;
      records += segment.records;
    }
    table_of = 0;
  }

  std::string place(uint64_t record) const {
    return fmt::format("{}: record {}", input.name(), record);
  }

  size_t segment_of(uint64_t record) const {
    const auto after = std::upper_bound(
        segments.begin(), segments.end(), record,
        [](uint64_t number, const Segment& segment) { return number < segment.first; });
    return static_cast<size_t>(after - segments.begin()) - 1;
  }

  bool is_open(uint64_t record) const {
    return block_offset != UINT64_MAX && record >= block_first &&
           record - block_first < static_cast<uint64_t>(unpacker.head().records);
  }

  // Unpacks the block that holds the record.
  void open_block(uint64_t record) {
    const size_t which = segment_of(record);
    const Segment& segment = segments[which];
    if (table_of != which) {
      table = load_table(segment);
      table_of = which;
    }
    uint64_t first = 0;
    uint64_t offset = segment.begin + table.header_bytes;
    size_t block = 0;
    while (first + table.counts[block] <= record - segment.first) {
      first += table.counts[block];
      offset += table.sizes[block++];
    }
    block_offset = UINT64_MAX;
    if (frame.buffer.empty()) frame.buffer = unpacker.release();
    read_one_frame(read_at(offset, table.sizes[block]), frame);
    const BlockHead head = read_block_head(frame.content());
    if (head.first != first || head.records != table.counts[block] ||
        head.height != header.height || head.width != header.width ||
        head.codebook_size != header.codebook_size || head.codec != codec_tag(header.codec)) {
      throw Error("",
                  fmt::format("the block at byte {} is not the one that the index means", offset));
    }
    if (head.mask && !segment.mask) throw Error("", "its block has a [mask], the header says none");
    const size_t size = frame.content_size;
    unpacker.open(std::exchange(frame.buffer, {}), size);
    block_offset = offset;
    block_first = segment.first + first;
  }

  TokenRecord read(uint64_t record) {
    if (record >= records) {
      throw Error(input.name(), fmt::format("has no record {}; it has {}", record, records));
    }
    try {
      if (!is_open(record)) open_block(record);
      const int wanted = static_cast<int>(record - block_first);
      int at = unpacker.head().records - unpacker.left();
      if (at > wanted) {
        unpacker.rewind();
        at = 0;
      }
      unpacker.skip(wanted - at);
      TokenRecord result;
      unpacker.next(result);
      return result;
    } catch (const Error& e) {
      throw e.within(place(record));
    }
  }
};

TokenFile::TokenFile(const std::string& path) : state_(std::make_unique<State>(Input::open(path))) {
  state_->find_segments();
}

TokenFile::TokenFile(TokenFile&&) noexcept = default;
TokenFile::~TokenFile() = default;

const GridHeader& TokenFile::header() const { return state_->header; }
uint64_t TokenFile::size() const { return state_->records; }
bool TokenFile::mask(uint64_t record) const {
  return state_->segments[state_->segment_of(record)].mask;
}
TokenRecord TokenFile::read(uint64_t record) { return state_->read(record); }

}  // namespace vq
