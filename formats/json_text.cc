#include "formats/json_text.h"

#include <charconv>

namespace vq {
namespace {

// Records are read by the million, and nearly all of their JSON is a flat object of plain ASCII
// strings and whole numbers: a caption, a label, a seed. Such a text becomes a value five times
// faster here. False for everything else, and for whatever might be an error: the real parser
// decides then.
class FlatObject {
 public:
  explicit FlatObject(std::string_view text) : p_(text.data()), end_(p_ + text.size()) {}

  // Into an object that has the very members of the text, in their order; else false, and some of
  // its values are changed.
  bool refill(Json& object) {
    if (!object.is_object() || object.empty() || !take('{')) return false;
    auto& members = object.get_ref<Json::object_t&>();
    auto member = members.begin();
    do {
      std::string_view name, text;
      if (member == members.end() || !string(name) || name != member->first || !take(':')) {
        return false;
      }
      Json& value = member->second;
      ++member;
      if (p_ == end_ || *p_ != '"') {
        if (!number(value)) return false;
      } else if (!string(text)) {
        return false;
      } else if (value.is_string()) {
        value.get_ref<std::string&>().assign(text);
      } else {
        value = std::string(text);
      }
    } while (take(','));
    return take('}') && p_ == end_ && member == members.end();
  }

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

// Does one of the bytes need an escape? In pieces of a known length, for which the compiler takes
// vectors.
bool needs_escapes(std::string_view text) {
  constexpr size_t kPiece = 16;
  const auto odd = [](const char* from, size_t n) {
    uint8_t any = 0;
    for (size_t i = 0; i < n; ++i) {
      const uint8_t c = static_cast<uint8_t>(from[i]);
      any |= static_cast<uint8_t>((c < 0x20) | (c >= 0x7f) | (c == '"') | (c == '\\'));
    }
    return any;
  };
  uint8_t any = 0;
  for (; text.size() >= kPiece; text.remove_prefix(kPiece)) any |= odd(text.data(), kPiece);
  return (any | odd(text.data(), text.size())) != 0;
}

// Appends text that needs no escapes; false when there is one that does.
bool append_plain(std::string& out, std::string_view text) {
  if (needs_escapes(text)) return false;
  out += '"';
  out += text;
  out += '"';
  return true;
}

// The way back, as fast: false for everything but flat objects of such strings and whole numbers.
bool append_flat(std::string& out, const Json& object) {
  if (!object.is_object()) return false;
  char digits[24];
  out += '{';
  for (const auto& [name, value] : object.get_ref<const Json::object_t&>()) {
    if (out.back() != '{') out += ',';
    if (!append_plain(out, name)) return false;
    out += ':';
    if (value.is_string()) {
      if (!append_plain(out, value.get_ref<const std::string&>())) return false;
    } else if (value.is_number_unsigned()) {
      out.append(digits, std::to_chars(digits, digits + 24, value.get<uint64_t>()).ptr);
    } else if (value.is_number_integer()) {
      out.append(digits, std::to_chars(digits, digits + 24, value.get<int64_t>()).ptr);
    } else {
      return false;
    }
  }
  out += '}';
  return true;
}

}  // namespace

bool parse_flat_object(std::string_view text, Json& value) { return FlatObject(text).parse(value); }

void parse_json_into(std::string_view text, Json& value, const std::string& where) {
  if (!FlatObject(text).refill(value)) value = parse_json(text, where);
}

void append_json(std::string& out, const Json& value) {
  const size_t before = out.size();
  if (append_flat(out, value)) return;
  out.resize(before);
  out += dump_json(value);
}

// "[json.exception.parse_error.101] parse error at line 1, column 5: syntax error while parsing
// value - invalid literal; last read: '{x'" -> "invalid literal". What was last read may be any
// bytes, so it does not go into a message.
std::string json_reason(const char* what) {
  std::string text = what;
  if (const size_t dash = text.find(" - "); dash != std::string::npos) text = text.substr(dash + 3);
  if (const size_t last = text.find("; last read:"); last != std::string::npos) text.resize(last);
  if (const size_t head = text.find("] "); head != std::string::npos) text = text.substr(head + 2);
  return text;
}

}  // namespace vq
