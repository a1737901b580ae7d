#include "formats/token_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "formats/error.h"
#include "formats/token_header.h"

namespace vq {
namespace {

constexpr char kMask = '_';
constexpr size_t kCodecDigits = 16;  // enough that two codecs never meet by chance

// Splits off what lies before the next `separator`; the rest stays in `text`.
std::string_view split(std::string_view& text, char separator) {
  const size_t at = std::min(text.find(separator), text.size());
  const std::string_view head = text.substr(0, at);
  text.remove_prefix(std::min(at + 1, text.size()));
  return head;
}

bool whole_number(std::string_view text, int& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

// At most a few words of what was found, fit for a message.
std::string shown(std::string_view text) {
  std::string out(text.substr(0, 40));
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return out + (text.size() > 40 ? "..." : "");
}

void parse_tokens(std::string_view text, const GridHeader& header, TokenRecord& record,
                  const std::string& where) {
  const size_t length = static_cast<size_t>(header.length());
  record.tokens.resize(length);
  size_t n = 0;
  const char* p = text.data();
  const char* const end = p + text.size();
  while (true) {
    while (p < end && *p == ' ') ++p;
    if (p == end) break;
    const char* const stop = std::find(p, end, ' ');
    int32_t value = header.codebook_size;
    if (stop - p == 1 && *p == kMask) {
      if (!header.mask) throw Error(where, "has a [mask], and the header says there is none");
    } else if (const auto [at, error] = std::from_chars(p, stop, value);
               error != std::errc() || at != stop) {
      throw Error(where, fmt::format("'{}' is not a token", shown({p, stop})));
    } else if (value < 0 || value >= header.codebook_size) {
      throw Error(where, fmt::format("token {} is outside the codebook (0..{})", value,
                                     header.codebook_size - 1));
    }
    if (n < length) record.tokens[n] = value;
    ++n;
    p = stop;
  }
  if (n != length) {
    throw Error(where, fmt::format("has {} tokens; a grid of {}x{} has {}", n, header.height,
                                   header.width, length));
  }
}

}  // namespace

TextLine text_line_kind(std::string_view line) {
  if (line.empty() || line == "\r") return TextLine::nothing;
  // A key may begin with '#', but a record has tabs, and JSON on one line has none.
  if (line[0] != '#' || line.find('\t') != std::string_view::npos) return TextLine::record;
  return line.starts_with("#{") ? TextLine::header : TextLine::nothing;
}

std::string text_header_line(const GridHeader& header, bool history) {
  return "#" + header_to_line(header, history);
}

GridHeader header_from_text_line(std::string_view line, const std::string& where) {
  line.remove_prefix(1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return header_from_line(line, where);
}

std::string text_grid_column(const GridHeader& h) {
  return fmt::format("{}x{}:{}{}:{}", h.height, h.width, h.codebook_size, h.mask ? "_" : "",
                     h.codec.substr(0, kCodecDigits));
}

GridHeader header_from_grid_column(std::string_view column, const std::string& where) {
  const std::string_view whole = column;
  GridHeader header;
  const bool height = whole_number(split(column, 'x'), header.height);
  const bool width = whole_number(split(column, ':'), header.width);
  std::string_view size = split(column, ':');
  header.mask = size.ends_with(kMask);
  if (header.mask) size.remove_suffix(1);
  if (!height || !width || !whole_number(size, header.codebook_size) ||
      std::count(whole.begin(), whole.end(), ':') != 2) {
    throw Error(
        where, fmt::format("'{}' is not a grid such as 16x16:512:0f3a9c01", shown(whole)),
        "a record is: key, grid, tokens, JSON, with tabs between (vq-info --text shows it)");
  }
  header.codec = column;
  check_header(header, where);
  return header;
}

std::string_view grid_column_of(std::string_view line) {
  split(line, '\t');
  return split(line, '\t');
}

void append_text_record(std::string& out, const TokenRecord& record, std::string_view column,
                        int codebook_size) {
  out += record.key;
  out += '\t';
  out += column;
  out += '\t';
  char digits[16];
  bool first = true;
  for (const int32_t token : record.tokens) {
    if (!first) out += ' ';
    first = false;
    if (token == codebook_size) {
      out += kMask;
    } else {
      out.append(digits, std::to_chars(digits, digits + sizeof digits, token).ptr);
    }
  }
  out += '\t';
  const std::string json = record.more.empty() ? "{}" : dump_json(record.more);
  check_record_json(json);
  out += json;
  out += '\n';
}

void record_from_text_line(std::string_view line, bool ended, const GridHeader& header,
                           TokenRecord& record, const std::string& where) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (std::count(line.begin(), line.end(), '\t') > 3) {
    throw Error(where, "has more than four columns");
  }
  const std::string_view key = split(line, '\t');
  split(line, '\t');
  const std::string_view tokens = split(line, '\t');
  // "12" may once have been "123"; a closing brace shows that nothing is missing.
  if (!ended && !line.ends_with('}')) {
    throw Error(where, "the last line has no line end; was it cut short?");
  }
  check_key(key, where);
  parse_tokens(tokens, header, record, where);
  record.key.assign(key);
  try {
    check_record_json(line);
  } catch (const Error& e) {
    throw e.within(where);
  }
  record.more = line.empty() || line == "{}" ? Json::object() : parse_json(line, where);
  if (!record.more.is_object()) throw Error(where, "its JSON is not an object");
}

}  // namespace vq
