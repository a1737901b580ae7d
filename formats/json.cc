#include "formats/json.h"

#include <fmt/format.h>

#include "formats/error.h"
#include "formats/json_text.h"

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

}  // namespace

Json parse_json(std::string_view text, const std::string& where) {
  if (Json flat; parse_flat_object(text, flat)) return flat;
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
    throw Error(where,
                fmt::format("not valid JSON: at byte {}: {}", e.byte, json_reason(e.what())));
  } catch (const nlohmann::json::exception& e) {  // a number out of range, say
    throw Error(where, "not valid JSON: " + json_reason(e.what()));
  }
}

std::string dump_json(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace vq
