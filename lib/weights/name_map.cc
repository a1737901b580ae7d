#include "lib/weights/name_map.h"

#include <algorithm>
#include <charconv>
#include <string_view>

#include "formats/error.h"

namespace vq {
namespace {

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  while (true) {
    const size_t dot = text.find('.');
    words.push_back(text.substr(0, dot));
    if (dot == std::string_view::npos) return words;
    text.remove_prefix(dot + 1);
  }
}

bool is_number(std::string_view word) {
  return !word.empty() && word.size() <= 9 &&
         std::all_of(word.begin(), word.end(), [](char c) { return c >= '0' && c <= '9'; });
}

struct Match {
  std::vector<int64_t> numbers;
  std::string rest;
};

bool fits(std::string_view pattern, std::string_view name, Match& match) {
  const auto wanted = words_of(pattern), words = words_of(name);
  match = {};
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i] == "*" && i + 1 == wanted.size() && i < words.size()) {
      match.rest = std::string(name.substr(static_cast<size_t>(words[i].data() - name.data())));
      return true;
    }
    if (i >= words.size()) return false;
    if (wanted[i] == "#" && is_number(words[i])) {
      int64_t number = 0;
      std::from_chars(words[i].data(), words[i].data() + words[i].size(), number);
      match.numbers.push_back(number);
    } else if (wanted[i] != words[i]) {
      return false;
    }
  }
  return wanted.size() == words.size();
}

std::string fill(std::string_view pattern, const Match& match, int64_t levels) {
  std::string name;
  size_t number = 0;
  for (const std::string_view word : words_of(pattern)) {
    if (!name.empty()) name += '.';
    if (word == "#" || word == "~") {
      if (number >= match.numbers.size())
        throw Error(std::string(pattern), "has more numbers than ours");
      const int64_t n = match.numbers[number++];
      name += std::to_string(word == "#" ? n : levels - 1 - n);
    } else if (word == "*") {
      name += match.rest;
    } else {
      name += word;
    }
  }
  return name;
}

}  // namespace

std::vector<std::string> their_names(const NameMap& map, const std::string& ours, int64_t levels) {
  Match match;
  for (const NameRow& row : map) {
    if (!fits(row.ours, ours, match)) continue;
    std::vector<std::string> names;
    for (const std::string& pattern : row.theirs) names.push_back(fill(pattern, match, levels));
    return names;
  }
  return {};
}

std::string with_numbers_hidden(const std::string& name) {
  std::string shown;
  for (const std::string_view word : words_of(name)) {
    if (!shown.empty()) shown += '.';
    shown += is_number(word) ? std::string_view("#") : word;
  }
  return shown;
}

}  // namespace vq
