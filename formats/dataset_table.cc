// Lists in CSV and TSV: the first line names the columns, every other row is an example.
//
// Names count in any case. Columns without a name (the row numbers that pandas writes) and empty
// cells are passed over; a column "caption" may be there several times.
#include <fmt/format.h>

#include <algorithm>

#include "formats/csv.h"
#include "formats/dataset_list.h"
#include "formats/error.h"
#include "formats/utf8.h"

namespace vq {
namespace {

std::string trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t"), last = text.find_last_not_of(" \t");
  return first == text.npos ? "" : std::string(text.substr(first, last - first + 1));
}

template <size_t N>
bool is_one_of(const std::array<const char*, N>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

class Table {
 public:
  Table(Input& input, char separator) : rows_(input, separator, kMaxListLine) {
    std::vector<std::string> names;
    if (!rows_.next(names)) throw Error(input.name(), "the list is empty");
    for (const std::string& name : names) add_column(trimmed(name));
    const auto is_image = [](const std::string& name) { return is_one_of(kImageNames, name); };
    if (std::none_of(columns_.begin(), columns_.end(), is_image)) {
      throw Error(rows_.where(), fmt::format("no column is named {}", fmt::join(kImageNames, ", ")),
                  "the first line names the columns");
    }
  }

  bool next(Json& object) {
    std::vector<std::string> fields;
    if (!rows_.next(fields)) return false;
    if (fields.size() != columns_.size()) {
      throw Error(rows_.where(),
                  fmt::format("has {} {}, but the first line names {}", fields.size(),
                              fields.size() == 1 ? "field" : "fields", columns_.size()),
                  fields.size() > columns_.size()
                      ? "a field that holds the separator is written in quotes"
                      : "");
    }
    object = Json::object();
    for (size_t i = 0; i < fields.size(); ++i) {
      if (!columns_[i].empty()) add_field(columns_[i], std::move(fields[i]), object);
    }
    return true;
  }

  uint64_t line() const { return rows_.line(); }

 private:
  void add_column(std::string name) {
    check_text(name);
    std::string lower = name;
    for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    const bool ours = is_one_of(kImageNames, lower) || is_one_of(kCaptionNames, lower) ||
                      is_one_of(kLabelNames, lower) || is_one_of(kKeyNames, lower);
    if (ours) name = std::move(lower);
    const bool several = name.empty() || is_one_of(kCaptionNames, name);
    if (!several && std::find(columns_.begin(), columns_.end(), name) != columns_.end()) {
      throw Error(rows_.where(), fmt::format("two columns are named \"{}\"", name));
    }
    columns_.push_back(std::move(name));
  }

  void add_field(const std::string& name, std::string text, Json& object) const {
    check_text(text);
    if (is_one_of(kCaptionNames, name)) {
      object["captions"].push_back(std::move(text));
    } else if (is_one_of(kLabelNames, name)) {
      if (std::string label = trimmed(text); !label.empty()) object[name] = as_label(label);
    } else if (!text.empty()) {
      object[name] = std::move(text);
    }
  }

  // A class number where the text is one, and else a class name. (Larger numbers than a list may
  // have are still numbers, so that they are refused as such.)
  Json as_label(const std::string& text) const {
    const bool digits = text.find_first_not_of("0123456789") == text.npos;
    if (!digits) return text;
    if (text.size() > 18)
      throw Error(rows_.where(), fmt::format("the label {} is too large", text));
    return std::stoull(text);
  }

  void check_text(std::string_view text) const {
    if (!is_utf8(text)) {
      throw Error(rows_.where(), "is not UTF-8", "iconv -t UTF-8 converts lists");
    }
    if (text.find('\0') != text.npos) throw Error(rows_.where(), "holds a NUL");
  }

  CsvReader rows_;
  std::vector<std::string> columns_;  // "": passed over
};

}  // namespace

Dataset read_table(Input& input, const std::string& folder, char separator) {
  Table table(input, separator);
  ListReader list(input.name(), folder, true);
  Json object;
  while (table.next(object)) list.add(std::move(object), table.line());
  return list.finish();
}

}  // namespace vq
