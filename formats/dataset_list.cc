#include "formats/dataset_list.h"

#include <fmt/format.h>

#include <cstring>
#include <map>
#include <string_view>

#include "formats/dataset_parts.h"
#include "formats/error.h"

namespace vq {
namespace {

// One line of a list, taken apart member by member; what is left at the end is passed on.
class ListLine {
 public:
  ListLine(Json object, std::string where) : where_(std::move(where)), object_(std::move(object)) {
    if (!object_.is_object()) throw Error(where_, "is not a JSON object");
  }

  const std::string& where() const { return where_; }

  // Removes a member and gives its value; null when it is absent.
  Json take(const char* name) {
    const auto it = object_.find(name);
    if (it == object_.end()) return nullptr;
    Json value = std::move(*it);
    object_.erase(it);
    return value;
  }

  std::string take_image() {
    for (const char* name : kImageNames) {
      const Json value = take(name);
      if (value.is_null()) continue;
      if (!value.is_string() || value.get_ref<const std::string&>().empty()) {
        throw Error(where_, fmt::format("\"{}\" is not a path", name));
      }
      const auto& path = value.get_ref<const std::string&>();
      if (path.find('\0') != path.npos) throw Error(where_, "the path of the image holds a NUL");
      return path;
    }
    throw Error(where_, "has no \"image\"");
  }

  // Empty when the line has none.
  std::string take_key() {
    for (const char* name : kKeyNames) {
      const Json value = take(name);
      if (value.is_null()) continue;
      if (value.is_number_integer()) return value.dump();
      if (!value.is_string()) {
        throw Error(where_, fmt::format("\"{}\" is neither a string nor a whole number", name));
      }
      const std::string key = value.get<std::string>();
      if (key.empty() || key.size() > kMaxKey || as_key_text(key) != key) {
        throw Error(where_, fmt::format("\"{}\" is empty, longer than {} bytes or has control "
                                        "characters",
                                        name, kMaxKey));
      }
      return key;
    }
    return "";
  }

  std::vector<std::string> take_captions() {
    std::vector<std::string> captions;
    for (const char* name : kCaptionNames) {
      const Json value = take(name);
      if (value.is_null()) continue;
      if (value.is_array()) {
        for (const Json& caption : value) add_caption(name, caption, captions);
      } else {
        add_caption(name, value, captions);
      }
    }
    return captions;
  }

  // A class number, a class name, or neither.
  void take_label(Example& example, std::string& class_name) {
    for (const char* name : kLabelNames) {
      const Json value = take(name);
      if (value.is_null()) continue;
      if (value.is_number_integer()) {
        const bool small = value.is_number_unsigned() && value.get<uint64_t>() <= kMaxLabel;
        if (!small) {
          throw Error(where_,
                      fmt::format("the {} {} is outside 0..{}", name, value.dump(), kMaxLabel));
        }
        example.label = value.get<int>();
      } else if (value.is_string() && !value.get_ref<const std::string&>().empty()) {
        class_name = value.get<std::string>();
      } else {
        throw Error(where_, fmt::format("\"{}\" is neither a class number nor a class name", name));
      }
      return;
    }
  }

  Json rest() { return std::move(object_); }

 private:
  void add_caption(const char* name, const Json& value, std::vector<std::string>& captions) const {
    if (!value.is_string()) {
      throw Error(where_, fmt::format("\"{}\" holds something else than strings", name));
    }
    vq::add_caption(value.get_ref<const std::string&>(), captions);
  }

  std::string where_;
  Json object_;
};

}  // namespace

ListReader::ListReader(const std::string& name, const std::string& folder, bool rows_continue)
    : folder_(folder), rows_continue_(rows_continue) {
  dataset_.name = name;
}

void ListReader::add(Json object, uint64_t line_number) {
  ListLine line(std::move(object), at(line_number));
  Example example;
  const std::string image = line.take_image();
  example.picture.path = join_path(folder_, image);
  example.key = line.take_key();
  const bool own_key = !example.key.empty();
  if (!own_key) example.key = key_of_path(image);
  if (example.key.empty() || example.key.size() > kMaxKey) {
    throw Error(line.where(), "the image's path cannot be its key", "give it a \"key\"");
  }
  example.captions = line.take_captions();
  std::string class_name;
  line.take_label(example, class_name);
  example.more = line.rest();
  if (rows_continue_ && !own_key && continues_last(example, class_name)) {
    for (const std::string& c : example.captions) add_caption(c, dataset_.examples.back().captions);
    return;
  }
  check_is_there(example.picture.path, line.where());
  check_same_labels(example.label >= 0   ? "class number"
                    : class_name.empty() ? ""
                                         : "class name",
                    line_number);
  dataset_.examples.push_back(std::move(example));
  class_names_.push_back(std::move(class_name));
  line_numbers_.push_back(line_number);
}

bool ListReader::continues_last(const Example& example, const std::string& class_name) const {
  if (dataset_.examples.empty()) return false;
  const Example& last = dataset_.examples.back();
  return last.picture.path == example.picture.path && last.key == example.key &&
         last.label == example.label && class_names_.back() == class_name &&
         last.more == example.more;
}

Dataset ListReader::finish() {
  if (dataset_.examples.empty()) throw Error(dataset_.name, "the list is empty");
  check_keys(dataset_.examples,
             rows_continue_ ? "give each row its own key; rows of one image follow each other and "
                              "differ in nothing but the caption"
                            : "give each line its own \"key\"; several captions of one image "
                              "are one line with \"captions\"",
             [&](size_t i) { return at(line_numbers_[i]); });
  if (label_kind_ == std::string_view("class name")) number_classes();
  return std::move(dataset_);
}

std::string ListReader::at(uint64_t line_number) const {
  return fmt::format("{}: line {}", dataset_.name, line_number);
}

void ListReader::check_same_labels(const char* kind, uint64_t line_number) {
  if (dataset_.examples.empty()) label_kind_ = kind;
  if (std::strcmp(kind, label_kind_) == 0) return;
  const auto show = [](const char* k) { return *k ? fmt::format("a {}", k) : "no label"; };
  throw Error(at(line_number), fmt::format("has {}, but line {} has {}", show(kind),
                                           line_numbers_.front(), show(label_kind_)));
}

void ListReader::number_classes() {
  std::map<std::string_view, int> numbers;
  for (const std::string& name : class_names_) numbers[name] = 0;
  for (auto& [name, number] : numbers) {
    number = static_cast<int>(dataset_.classes.size());
    dataset_.classes.emplace_back(name);
  }
  for (size_t i = 0; i < class_names_.size(); ++i) {
    dataset_.examples[i].label = numbers[class_names_[i]];
  }
}

Dataset read_list(Input& input, const std::string& folder, DatasetFormat format) {
  if (format == DatasetFormat::csv) return read_table(input, folder, ',');
  if (format == DatasetFormat::tsv) return read_table(input, folder, '\t');
  ListReader reader(input.name(), folder, false);
  std::string line;
  for (uint64_t number = 1; input.read_line(line, kMaxListLine); ++number) {
    std::string_view text = line;
    if (number == 1 && text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
    if (text.find_first_not_of(" \t\r") == text.npos) continue;
    reader.add(parse_json(text, fmt::format("{}: line {}", input.name(), number)), number);
  }
  return reader.finish();
}

}  // namespace vq
