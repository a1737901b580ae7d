#include "tools/info_records.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>

#include "formats/error.h"
#include "formats/heat.h"
#include "formats/picture_writer.h"
#include "formats/sheet.h"
#include "formats/token_grid.h"

namespace vq {
namespace {

constexpr uint64_t kHeatRecords = 64;  // drawn when --records does not say which

struct Range {
  uint64_t first = 0, last = UINT64_MAX;
};

Range parse_range(const std::string& text) {
  Range range;
  if (text.empty()) return range;
  const size_t dots = text.find("..");
  const std::string a = text.substr(0, dots);
  const std::string b = dots == std::string::npos ? a : text.substr(dots + 2);
  const auto number = [&](const std::string& digits, uint64_t& to) {
    const char* end = digits.data() + digits.size();
    const auto result = std::from_chars(digits.data(), end, to);
    return result.ptr == end && result.ec == std::errc();
  };
  const bool good = (a.empty() || number(a, range.first)) && (b.empty() || number(b, range.last)) &&
                    text != ".." && !(a.empty() && b.empty());
  if (!good) {
    throw Error::usage("--records", fmt::format("'{}' is not a range of records", text),
                       "give A..B, A.., ..B or A; the first record is 0");
  }
  if (range.first > range.last) {
    throw Error::usage("--records", fmt::format("'{}' ends before it begins", text));
  }
  return range;
}

// The records of a range, in order.
class RecordRange {
 public:
  virtual ~RecordRange() = default;
  virtual const GridHeader& header() = 0;
  virtual bool next(TokenRecord& record) = 0;
  virtual bool masked() const = 0;       // may the last record's stream hold [mask]?
  virtual bool ready() { return true; }  // would next() not wait?
  virtual uint64_t total() const = 0;    // records there are, once next() was false
  virtual std::vector<Damage> damage() const { return {}; }
};

// From the front, past what comes before the range.
class ReadThrough : public RecordRange {
 public:
  ReadThrough(const std::vector<std::string>& inputs, Range range, bool salvage)
      : reader_(inputs, salvage ? OnDamage::salvage : OnDamage::stop), range_(range) {}

  const GridHeader& header() override { return reader_.header(); }
  bool next(TokenRecord& record) override {
    while (total_ <= range_.last && reader_.next(record)) {
      total_ = reader_.number() + 1;
      if (total_ > range_.last + 1 && range_.last != UINT64_MAX) return false;
      if (total_ > range_.first) return true;
    }
    return false;
  }
  bool masked() const override { return reader_.stream().mask; }
  bool ready() override { return reader_.ready(); }
  uint64_t total() const override { return total_; }
  std::vector<Damage> damage() const override { return reader_.damage(); }

 private:
  TokenReader reader_;
  Range range_;
  uint64_t total_ = 0;
};

// By the indexes of all inputs; throws vq::Error in the constructor when one has none.
class ReadByNumber : public RecordRange {
 public:
  ReadByNumber(const std::vector<std::string>& inputs, Range range) : range_(range) {
    for (const std::string& input : inputs) {
      files_.emplace_back(input);
      if (files_.size() > 1) check_compatible(header(), files_.back().header(), input);
      total_ += files_.back().size();
    }
    at_ = range.first;
  }

  const GridHeader& header() override { return files_.front().header(); }
  bool next(TokenRecord& record) override {
    if (at_ > range_.last || at_ >= total_) return false;
    while (at_ - before_ >= files_[file_].size()) before_ += files_[file_++].size();
    record = files_[file_].read(at_ - before_);
    masked_ = files_[file_].mask(at_ - before_);
    ++at_;
    return true;
  }
  bool masked() const override { return masked_; }
  uint64_t total() const override { return total_; }

 private:
  std::vector<TokenFile> files_;
  Range range_;
  uint64_t total_ = 0, at_ = 0, before_ = 0;  // before_: records of the files before this one
  size_t file_ = 0;
  bool masked_ = false;
};

std::unique_ptr<RecordRange> open_range(const std::vector<std::string>& inputs, Range range,
                                        bool salvage) {
  if (range.first > 0 && !salvage) {
    try {
      return std::make_unique<ReadByNumber>(inputs, range);
    } catch (const Error&) {
      // Text, a pipe, a stream without index, or something wrong that reading will name.
    }
  }
  return std::make_unique<ReadThrough>(inputs, range, salvage);
}

// What is not the whole of the input says how it came about.
Json history_after(const RecordsWanted& wanted, const GridHeader& header,
                   const cli::Context& context) {
  Json history = header.history;
  if (wanted.salvage || !wanted.range.empty()) history.push_back(cli::history_entry(context));
  return history;
}

void copy(RecordRange& records, const RecordsWanted& wanted, const cli::Context& context) {
  GridHeader header = records.header();
  if (!wanted.output.empty()) header.history = history_after(wanted, header, context);
  const std::string to = wanted.output.empty() ? "-" : wanted.output;
  TokenWriter writer(Output::open(to, wanted.force), header,
                     {.spelling = wanted.text ? Spelling::text : Spelling::binary});
  for (TokenRecord record; records.next(record);) {
    if (records.masked()) writer.allow_mask();
    writer.write(record);
    if (!records.ready()) writer.flush();  // the next program works while this one waits
  }
  writer.close();
}

void draw(RecordRange& records, const RecordsWanted& wanted, const cli::Context& context) {
  const GridHeader header = records.header();
  const bool some = wanted.range.empty();
  std::vector<SheetCell> cells;
  for (TokenRecord record; records.next(record);) {
    if (some && cells.size() == kHeatRecords) {
      cli::note(fmt::format("{}: only the first {} records; --records A..B draws others",
                            wanted.heat, kHeatRecords));
      break;
    }
    cells.push_back({draw_heat(header, record), record.key});
  }
  if (cells.empty()) throw Error(wanted.heat, "there is no record to draw");
  Json history = header.history;
  history.push_back(cli::history_entry(context));
  write_png(wanted.heat, draw_sheet(cells, {.max_lines = 1}),
            {{"Software", "vq-info " + cli::version_string()}, {"vq:history", dump_json(history)}},
            wanted.force);
}

}  // namespace

std::vector<cli::Option> record_rows(RecordsWanted& wanted) {
  return {
      {.letter = 't',
       .name = "text",
       .help = "print the records as text, one a line",
       .target = &wanted.text,
       .more = "Every tool reads this spelling wherever it reads token grids; see\n"
               ".Xr vq-token-grid 5 ."},
      {.letter = 'o',
       .name = "output",
       .value = "FILE",
       .help = "write the records into FILE: binary, with --text as text",
       .target = &wanted.output,
       .more = "This turns text into binary and binary into text, joins several inputs, and with\n"
               ".Fl -records\nor\n.Fl -salvage\nkeeps a part; then the history in the header gets "
               "an entry that says so."},
      {.name = "records",
       .value = "A..B",
       .help = "with --text, -o or --heat: only these, the first is 0",
       .target = &wanted.range,
       .more = "Both ends are included; either may be left out, and\n.Ar A\nalone is one "
               "record.\nFiles with an index are not read from the front."},
      {.name = "salvage",
       .help = "with --text or -o: go on after damaged blocks",
       .target = &wanted.salvage,
       .more = "The damage is still named, and the exit status is still 1."},
      {.name = "heat",
       .value = "FILE",
       .help = "draw the grids as a PNG, a square a token, a colour a code",
       .target = &wanted.heat,
       .more = "[mask] is a grey square with a cross.\nWithout\n.Fl -records\nthe first 64 records "
               "are drawn."},
      {.name = "force", .help = "replace an existing FILE", .target = &wanted.force}};
}

bool records_are_asked(const RecordsWanted& wanted) {
  const bool passed_on = wanted.text || !wanted.output.empty();
  if (wanted.salvage && !passed_on) throw Error::usage("--salvage", "needs --text or -o");
  if (!wanted.range.empty() && !passed_on && wanted.heat.empty()) {
    throw Error::usage("--records", "needs --text, -o or --heat");
  }
  if (passed_on && !wanted.heat.empty()) {
    throw Error::usage("--heat", "is one picture; records are written by another call");
  }
  return passed_on || !wanted.heat.empty();
}

int pass_records(const RecordsWanted& wanted, const cli::Context& context) {
  if (!wanted.text && !wanted.output.empty()) {
    cli::refuse_terminal_output(wanted.output, wanted.force);
  }
  const Range range = parse_range(wanted.range);
  const std::vector<std::string> inputs =
      context.operands.empty() ? std::vector<std::string>{"-"} : context.operands;
  const auto records = open_range(inputs, range, wanted.salvage);
  if (wanted.heat.empty()) {
    copy(*records, wanted, context);
  } else {
    draw(*records, wanted, context);
  }
  const std::vector<Damage> damage = records->damage();
  for (const Damage& place : damage) cli::say(place.message);
  if (range.last != UINT64_MAX && records->total() <= range.last && damage.empty()) {
    throw Error("--records", fmt::format("there is no record {}; the input has {} records",
                                         range.last, records->total()));
  }
  return damage.empty() ? 0 : 1;
}

}  // namespace vq
