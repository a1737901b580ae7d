#include "formats/shard_names.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdint>
#include <optional>

#include "formats/error.h"

namespace vq {
namespace {

constexpr uint64_t kMaxNames = 1'000'000;

std::optional<uint64_t> as_number(std::string_view text) {
  uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (text.empty() || error != std::errc() || stop != end) return std::nullopt;
  return number;
}

// The words that "{inside}" stands for.
std::vector<std::string> words_of(std::string_view inside, const std::string& text) {
  std::vector<std::string> words;
  if (const size_t dots = inside.find(".."); dots != inside.npos) {
    const std::string_view first = inside.substr(0, dots), last = inside.substr(dots + 2);
    const auto from = as_number(first), to = as_number(last);
    if (!from || !to) throw Error(text, fmt::format("{{{}}} is not a range of numbers", inside));
    if (*from > *to) throw Error(text, fmt::format("the range {{{}}} runs backwards", inside));
    if (*to - *from >= kMaxNames) {
      throw Error(text, fmt::format("stands for more than {} shards", kMaxNames));
    }
    // "{000..123}" keeps its zeros, "{0..123}" has none.
    const size_t width = first.starts_with('0') ? first.size() : 0;
    for (uint64_t n = *from; n <= *to; ++n) words.push_back(fmt::format("{:0{}}", n, width));
    return words;
  }
  for (size_t at = 0; at <= inside.size();) {
    const size_t comma = std::min(inside.find(',', at), inside.size());
    words.emplace_back(inside.substr(at, comma - at));
    at = comma + 1;
  }
  if (words.size() < 2)
    throw Error(text, fmt::format("{{{}}} is neither a range nor a list", inside));
  return words;
}

void expand(const std::string& done, std::string_view rest, const std::string& text,
            std::vector<std::string>& names) {
  const size_t open = rest.find('{');
  if (open == rest.npos) {
    if (names.size() >= kMaxNames) {
      throw Error(text, fmt::format("stands for more than {} shards", kMaxNames));
    }
    names.push_back(done + std::string(rest));
    return;
  }
  const size_t close = rest.find('}', open);
  if (close == rest.npos) throw Error(text, "a brace is not closed");
  const std::string before = done + std::string(rest.substr(0, open));
  for (const std::string& word : words_of(rest.substr(open + 1, close - open - 1), text)) {
    expand(before + word, rest.substr(close + 1), text, names);
  }
}

}  // namespace

std::vector<std::string> expand_shard_names(const std::string& text) {
  std::vector<std::string> names;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find("::", at), text.size());
    const std::string_view part = std::string_view(text).substr(at, end - at);
    if (part.empty()) throw Error(text, "names an empty shard");
    expand("", part, text, names);
    at = end + 2;
  }
  return names;
}

bool has_shard_ending(std::string_view path) {
  std::string lower(path);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  for (const char* ending : {".tar", ".tar.gz", ".tgz", ".tar.zst", ".tzst"}) {
    if (lower.ends_with(ending)) return true;
  }
  return false;
}

}  // namespace vq
