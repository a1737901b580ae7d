// Reading the binary spelling: frames in the order that token_grid.md ("Streams") allows, and what
// to say and do where they are not.

#include <fmt/format.h>

#include <chrono>
#include <utility>
#include <variant>

#include "formats/error.h"
#include "formats/token_block.h"
#include "formats/token_frames.h"
#include "formats/token_header.h"
#include "formats/token_index.h"
#include "formats/token_source.h"

namespace vq {
namespace {

// How far a reader that will stop anyway looks for the end of the damage, to name the lost records.
constexpr uint64_t kLookAhead = 16 << 20;

// The table of an index whose outer frame is damaged: found only by searching.
struct BareTable {
  uint64_t records = 0;
};

using Content = std::variant<GridHeader, EndMark, BlockHead, BareTable>;

std::string_view one_line(std::span<const uint8_t> content) {
  const std::string_view text = as_text(content);
  if (text.find('\n') != text.size() - 1) throw Error("", "a frame that is not one line");
  return text.substr(0, text.size() - 1);
}

class BinarySource : public TokenSource {
 public:
  BinarySource(Input input, ReadContext& context) : frames_(std::move(input)), context_(context) {}

  void read_header() override {
    while (!context_.header && advance()) {
    }
  }

  bool next(TokenRecord& record) override {
    while (true) {
      while (unpacker_.left() > 0) {
        const BlockHead& head = unpacker_.head();
        last_ = base_ + head.first + static_cast<uint64_t>(head.records - unpacker_.left());
        try {
          unpacker_.next(record);
          key_ = record.key;
          return true;
        } catch (const Error& e) {
          context_.fault(block_offset_, last_, e.within(place(record.key)));
        }
      }
      if (!advance()) return false;
    }
  }

  bool ready(std::chrono::steady_clock::time_point until) override {
    while (unpacker_.left() == 0 && !finished_) {
      if (!frames_.ready(until)) return false;
      advance();
    }
    return true;
  }

  std::string where() const override { return place(key_); }
  uint64_t number() const override { return last_; }
  uint64_t end() const override { return base_ + expected_; }
  const GridHeader& stream() const override { return header_; }

 private:
  std::string place(const std::string& key) const {
    try {
      check_key(key, "");
      return fmt::format("{}: record {} ({})", frames_.name(), last_, key);
    } catch (const Error&) {
      return fmt::format("{}: record {}", frames_.name(), last_);
    }
  }

  // Handles one frame; false when the input has ended.
  bool advance() {
    if (finished_) return false;
    if (frame_.buffer.empty()) frame_.buffer = unpacker_.release();
    const uint64_t offset = frames_.offset();
    switch (frames_.next(frame_)) {
      case FrameReader::Result::end:
        return end_of_input();
      case FrameReader::Result::cut:
        return lose(offset, Error("", "a broken frame"), true);
      case FrameReader::Result::damaged:
        return lose(offset, Error("", frames_.fault()), false);
      case FrameReader::Result::frame:
        break;
    }
    if (frame_.kind == Frame::Kind::skippable) return pass_skippable(offset);
    Content content;
    try {
      content = read_content();
    } catch (const Error& e) {
      // The frame itself was whole, so the next one follows it.
      if (!pending_) pending_.emplace(Pending{offset, e});
      return true;
    }
    std::visit([&](const auto& what) { accept(what, offset); }, content);
    return true;
  }

  // Every rule that one data frame can break by itself.
  Content read_content() {
    const auto content = frame_.content();
    if (pending_ && as_text(content).starts_with(kTableMagic)) {
      return BareTable{records_of_table(content)};
    }
    if (content.empty() || content[0] != '{') return read_block();
    const std::string_view line = one_line(content);
    if (line.starts_with(kEndStart)) {
      if (!in_stream_) throw Error("", "an end mark without a header");
      return end_from_line(line, "");
    }
    return header_from_line(line, "");
  }

  BlockHead read_block() {
    const BlockHead head = read_block_head(frame_.content());
    if (context_.header) {
      const GridHeader& h = in_stream_ ? header_ : *context_.header;
      const uint32_t codec = codec_tag(h.codec);
      if (head.height != h.height || head.width != h.width ||
          head.codebook_size != h.codebook_size || head.codec != codec) {
        throw Error("", fmt::format("a block of another stream ({}x{} of {} codes, codec {:08x})",
                                    head.height, head.width, head.codebook_size, head.codec));
      }
      if (head.mask && in_stream_ && !h.mask)
        throw Error("", "a block has a [mask], the header says none");
    }
    const size_t size = frame_.content_size;
    unpacker_.open(std::exchange(frame_.buffer, {}), size);
    return head;
  }

  void accept(const GridHeader& header, uint64_t offset) {
    if (pending_) {
      settle({});
    } else if (in_stream_) {
      context_.fault(offset, base_ + expected_, no_end_mark());
    }
    begin_stream();
    header_ = header;
    stream_begin_ = offset;
    tally_ = IndexTally{};
    tally_.header_bytes = frame_.size;
    context_.accept(header, offset == 0
                                ? frames_.name()
                                : fmt::format("{}: stream at byte {}", frames_.name(), offset));
  }

  void accept(const EndMark& end, uint64_t offset) {
    const bool whole = !pending_ && !damaged_stream_;
    settle(end.records);
    if (whole && (end.records != expected_ || end.blocks != blocks_)) {
      context_.fault(offset, base_ + expected_,
                     Error(frames_.name(),
                           fmt::format("the end mark at byte {} counts {} records in {} blocks; "
                                       "there were {} in {}",
                                       offset, end.records, end.blocks, expected_, blocks_)));
    }
    expected_ = std::max(expected_, end.records);
    in_stream_ = false;
  }

  void accept(const BlockHead& head, uint64_t offset) {
    const bool known = !pending_;
    settle(head.first);
    if (known && !in_stream_) {
      context_.fault(offset, base_ + expected_,
                     Error(frames_.name(),
                           fmt::format("the block at byte {} has no header before it", offset)));
    } else if (known && head.first != expected_) {
      context_.fault(
          offset, base_ + expected_,
          Error(frames_.name(), fmt::format("the block at byte {} begins with record {}; "
                                            "record {} was expected",
                                            offset, head.first, expected_)));
    }
    // Only when salvaging: a header was lost, and what it said of [mask].
    if (!in_stream_ || head.first < expected_) {
      begin_stream();
      tally_ = IndexTally{};
      header_.mask = true;
    }
    if (!context_.header) adopt(head);
    expected_ = uint64_t{head.first} + static_cast<uint64_t>(head.records);
    block_offset_ = offset;
    ++blocks_;
    ++context_.blocks;
    tally_.add_block(frame_.size, head.records);
  }

  // The end mark may be what was lost; the index stands behind it and knows the same number.
  void accept(const BareTable& table, uint64_t) {
    settle(table.records);
    in_stream_ = false;
  }

  void begin_stream() {
    base_ += expected_;
    expected_ = blocks_ = 0;
    damaged_stream_ = false;
    in_stream_ = true;
    ++context_.streams;
    if (context_.header) header_ = *context_.header;
  }

  // A block says enough of itself that a lost header loses only history and the codec's full name.
  void adopt(const BlockHead& head) {
    header_ = GridHeader{};
    header_.height = head.height;
    header_.width = head.width;
    header_.codebook_size = head.codebook_size;
    if (head.codec != 0) header_.codec = fmt::format("{:08x}", head.codec);
    header_.mask = true;
    context_.accept(header_, frames_.name());
  }

  bool pass_skippable(uint64_t offset) {
    if (frame_.magic != kIndexMagic) return true;
    IndexTally table;
    try {
      table = check_index(frame_.content());
    } catch (const Error& e) {
      // Its length may be wrong too, so what it covers is searched for frames.
      frames_.unread(frame_);
      return lose(offset, e, false);
    }
    if (pending_) {
      accept(BareTable{table.records}, offset);
    } else if (!in_stream_ && !damaged_stream_ && tally_.header_bytes > 0) {
      tally_.stream_bytes = offset - stream_begin_;
      if (table != tally_) context_.fault(offset, base_ + expected_, wrong_index(offset));
      tally_ = IndexTally{};
    }
    return true;
  }

  Error wrong_index(uint64_t offset) const {
    return Error(frames_.name(),
                 fmt::format("the index at byte {} does not say where the blocks are; "
                             "no record is lost",
                             offset),
                 "vq-info -o NEW writes the records with a new index");
  }

  bool end_of_input() {
    finished_ = true;
    settle({});
    if (in_stream_ && !damaged_stream_) {
      context_.fault(frames_.offset(), base_ + expected_, no_end_mark());
    } else if (!context_.header) {
      context_.fault(0, 0, Error(frames_.name(), "holds no token grid"));
    }
    return false;
  }

  // Notes the damage and goes on to the next whole frame; what was lost is known when it is read.
  bool lose(uint64_t offset, const Error& error, bool cut) {
    const bool first = !pending_;
    if (first) pending_.emplace(Pending{offset, error});
    const uint64_t limit = context_.on_damage == OnDamage::stop ? kLookAhead : UINT64_MAX;
    if (frames_.resync(frame_, limit)) return true;
    finished_ = true;
    if (first && cut) pending_.reset();
    if (first && cut) context_.fault(offset, base_ + expected_, cut_short(offset));
    settle({});
    return false;
  }

  Error no_end_mark() const {
    const uint64_t records = base_ + expected_;
    return Error(frames_.name(),
                 (records == 0 ? "ends before the first record"
                               : fmt::format("ends after record {}", records - 1)) +
                     " without an end mark; was it cut short?",
                 "vq-info --text --salvage shows the records that are whole");
  }

  Error cut_short(uint64_t offset) const {
    if (in_stream_ || !context_.header) return no_end_mark();
    return Error(frames_.name(), fmt::format("ends within a frame at byte {}, behind the end mark; "
                                             "no record is lost",
                                             offset));
  }

  // The stream goes on with record `next` (or nobody knows): names what the damage cost.
  void settle(std::optional<uint64_t> next) {
    if (!pending_) return;
    const Pending pending = *std::exchange(pending_, std::nullopt);
    damaged_stream_ = true;
    const uint64_t from = base_ + expected_;
    std::string lost = fmt::format("records from {} on are lost", from);
    if (!in_stream_ && context_.header) lost = "it stands behind the end mark";
    if (next && *next == expected_) lost = "no record is lost";
    if (next && *next == expected_ + 1) lost = fmt::format("record {} is lost", from);
    if (next && *next > expected_ + 1) {
      lost = fmt::format("records {}..{} are lost", from, base_ + *next - 1);
    }
    const std::string inner = pending.error.where();
    context_.fault(
        pending.offset, from,
        Error(frames_.name(),
              fmt::format("damaged at byte {}: {}{}; {}", pending.offset,
                          inner.empty() ? "" : inner + ": ", pending.error.message(), lost),
              pending.error.hint()));
    if (next && *next > expected_) expected_ = *next;
  }

  struct Pending {
    uint64_t offset;
    Error error;
  };

  FrameReader frames_;
  ReadContext& context_;
  Frame frame_;
  BlockUnpacker unpacker_;
  GridHeader header_;            // of this stream
  bool in_stream_ = false;       // between a header and its end mark
  bool damaged_stream_ = false;  // then an end mark's block count means nothing
  bool finished_ = false;
  uint64_t base_ = 0;      // records of this input before this stream
  uint64_t expected_ = 0;  // number, in its stream, of the record that must come next
  uint64_t blocks_ = 0;
  uint64_t stream_begin_ = 0;  // of the stream's header
  IndexTally tally_;           // what its index should say; without a header, nothing
  uint64_t block_offset_ = 0;
  std::optional<Pending> pending_;
  uint64_t last_ = 0;  // record handed out last, numbered in this input
  std::string key_;
};

}  // namespace

std::unique_ptr<TokenSource> make_binary_source(Input input, ReadContext& context) {
  return std::make_unique<BinarySource>(std::move(input), context);
}

}  // namespace vq
