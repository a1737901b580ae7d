#include "formats/json.h"

#include <fmt/format.h>

#include "formats/error.h"

namespace vq {
namespace {

constexpr int kMaxDepth = 64;

// The parser recurses nowhere, but its values do when they are printed or destroyed; and a check
// inside the parser (its callback) would build every value twice. One pass over the text is
// cheaper.
bool too_deep(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        in_string = false;
      }
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kMaxDepth) return true;
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return false;
}

// "[json.exception.parse_error.101] parse error at line 1, column 5: syntax error while parsing
// value - invalid literal; last read: '{x'" -> "invalid literal". What was last read may be any
// bytes, so it does not go into a message.
std::string reason(const char* what) {
  std::string text = what;
  if (const size_t dash = text.find(" - "); dash != std::string::npos) text = text.substr(dash + 3);
  if (const size_t last = text.find("; last read:"); last != std::string::npos) text.resize(last);
  if (const size_t head = text.find("] "); head != std::string::npos) text = text.substr(head + 2);
  return text;
}

// Records are read by the million, and nearly all of their JSON is a flat object of plain ASCII
// strings and whole numbers: a caption, a label, a seed. Such a text becomes a value five times
// faster here. False for everything else, and for whatever might be an error: the real parser
// decides then.
class FlatObject {
 public:
  explicit FlatObject(std::string_view text) : p_(text.data()), end_(p_ + text.size()) {}

  bool parse(Json& object) {
    object = Json::object();
    if (!take('{')) return false;
    do {
      std::string_view name;
      if (!string(name) || !take(':')) return false;
      Json& value = object[std::string(name)];
      std::string_view text;
      if (p_ < end_ && *p_ == '"') {
        if (!string(text)) return false;
        value = std::string(text);
      } else if (!number(value)) {
        return false;
      }
    } while (take(','));
    return take('}') && p_ == end_;
  }

 private:
  bool take(char c) {
    if (p_ == end_ || *p_ != c) return false;
    ++p_;
    return true;
  }

  bool string(std::string_view& text) {
    if (!take('"')) return false;
    const char* const from = p_;
    while (p_ < end_ && *p_ >= 0x20 && *p_ < 0x7f && *p_ != '"' && *p_ != '\\') ++p_;
    text = {from, p_};
    return take('"');
  }

  // Up to 18 digits, so that nothing overflows; a sign, a point or an exponent is not for us.
  bool number(Json& value) {
    const char* const from = p_;
    uint64_t sum = 0;
    while (p_ < end_ && *p_ >= '0' && *p_ <= '9' && p_ - from < 18) sum = 10 * sum + (*p_++ - '0');
    const bool leading_zero = p_ - from > 1 && *from == '0';
    value = sum;
    return p_ > from && !leading_zero && p_ < end_ && (*p_ == ',' || *p_ == '}');
  }

  const char* p_;
  const char* const end_;
};

}  // namespace

Json parse_json(std::string_view text, const std::string& where) {
  if (Json flat; FlatObject(text).parse(flat)) return flat;
  // The parser passes over a byte order mark, and takes a NUL for the end of the text.
  if (const size_t nul = text.find('\0'); nul != std::string_view::npos)
    throw Error(where, fmt::format("not valid JSON: at byte {}: a NUL", nul + 1));
  if (text.starts_with("\xEF\xBB\xBF"))
    throw Error(where, "not valid JSON: it begins with a byte order mark");
  if (too_deep(text)) {
    throw Error(where, fmt::format("not valid JSON: nested deeper than {} levels", kMaxDepth));
  }
  try {
    return Json::parse(text.begin(), text.end());
  } catch (const nlohmann::json::parse_error& e) {
    throw Error(where, fmt::format("not valid JSON: at byte {}: {}", e.byte, reason(e.what())));
  } catch (const nlohmann::json::exception& e) {  // a number out of range, say
    throw Error(where, "not valid JSON: " + reason(e.what()));
  }
}

std::string dump_json(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace vq
