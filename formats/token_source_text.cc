// Reading the text spelling: every line is enough by itself, in any order.

#include <fmt/format.h>

#include <chrono>
#include <utility>

#include "formats/token_header.h"
#include "formats/token_source.h"
#include "formats/token_text.h"

namespace vq {
namespace {

class TextSource : public TokenSource {
 public:
  TextSource(Input input, ReadContext& context) : input_(std::move(input)), context_(context) {}

  // The first record may be the first thing that tells the grid; it is kept for next().
  void read_header() override {
    while (!context_.header && read_line()) {
      kept_ = interpret(kept_record_);
    }
  }

  bool next(TokenRecord& record) override {
    if (kept_) {
      kept_ = false;
      std::swap(record, kept_record_);
      return true;
    }
    while (read_line()) {
      if (interpret(record)) return true;
    }
    return false;
  }

  bool ready(std::chrono::steady_clock::time_point until) override {
    const std::chrono::duration<double> left = until - std::chrono::steady_clock::now();
    return kept_ || input_.ready_within(left.count());
  }

  std::string where() const override {
    return fmt::format("{}: line {} ({})", input_.name(), record_line_, key_);
  }
  uint64_t number() const override { return records_ == 0 ? 0 : records_ - 1; }
  uint64_t end() const override { return records_; }
  const GridHeader& stream() const override { return header_; }

 private:
  std::string here() const { return fmt::format("{}: line {}", input_.name(), line_number_); }

  bool read_line() {
    while (true) {
      offset_ = input_.offset();
      ++line_number_;
      try {
        return input_.read_line(line_, kMaxTextLine, &ended_);
      } catch (const Error& e) {
        if (context_.on_damage == OnDamage::stop) throw Error(here(), e.message());
        context_.fault(offset_, records_, Error(here(), e.message()));
        --line_number_;
        skip_line();
      }
    }
  }

  // A line that is too long is read in pieces, none of them used.
  void skip_line() {
    ++line_number_;
    while (true) {
      try {
        input_.read_line(line_, kMaxTextLine);
        return;
      } catch (const Error&) {
        // Each try consumes what it has read.
      }
    }
  }

  // True when the line was a record.
  bool interpret(TokenRecord& record) {
    try {
      switch (text_line_kind(line_)) {
        case TextLine::nothing:
          return false;
        case TextLine::header:
          accept_header();
          return false;
        case TextLine::record:
          break;
      }
      accept_column(grid_column_of(line_));
      record_from_text_line(line_, ended_, header_, record, here());
    } catch (const SeamError& e) {
      throw e.error;
    } catch (const Error& e) {
      context_.fault(offset_, records_, e);
      return false;
    }
    ++records_;
    record_line_ = line_number_;
    key_ = record.key;
    return true;
  }

  void accept_header() {
    const GridHeader header = header_from_text_line(line_, here());
    take(header);
    column_ = kNoColumn;  // the next record's own column counts again
  }

  // The column repeats from line to line, so it is looked at only when it changes.
  void accept_column(std::string_view column) {
    if (column == column_) return;
    take(header_from_grid_column(column, here()));
    column_ = column;
  }

  // Streams that do not fit together are no damage: nothing is salvaged by mixing them.
  struct SeamError {
    Error error;
  };
  void take(const GridHeader& header) {
    try {
      context_.accept(header, here());
    } catch (const Error& e) {
      throw SeamError{e};
    }
    header_ = header;
  }

  Input input_;
  ReadContext& context_;
  GridHeader header_;
  std::string line_, key_;
  static constexpr const char* kNoColumn = "\t";  // no column is a tab
  std::string column_ = kNoColumn;                // the last one
  bool ended_ = true;
  uint64_t offset_ = 0, line_number_ = 0, records_ = 0;
  uint64_t record_line_ = 0;  // of the record handed out last
  bool kept_ = false;
  TokenRecord kept_record_;
};

}  // namespace

std::unique_ptr<TokenSource> make_text_source(Input input, ReadContext& context) {
  return std::make_unique<TextSource>(std::move(input), context);
}

}  // namespace vq
