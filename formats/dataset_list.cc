// JSONL lists: one example a line.
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <string_view>

#include "formats/dataset_parts.h"
#include "formats/error.h"

namespace vq {
namespace {

constexpr size_t kMaxLine = 16 << 20;
constexpr int kMaxLabel = 999'999;  // a table of classes is held in memory

// One line of a list, taken apart member by member; what is left at the end is passed on.
class ListLine {
 public:
  ListLine(std::string_view text, std::string where)
      : where_(std::move(where)), object_(parse_json(text, where_)) {
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
    for (const char* name : {"image", "file_name", "file"}) {
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
    for (const char* name : {"key", "id"}) {
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
    for (const char* name : {"caption", "captions"}) {
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
    const Json value = take("label");
    if (value.is_null()) return;
    if (value.is_number_integer()) {
      const bool small = value.is_number_unsigned() && value.get<uint64_t>() <= kMaxLabel;
      if (!small) {
        throw Error(where_, fmt::format("the label {} is outside 0..{}", value.dump(), kMaxLabel));
      }
      example.label = value.get<int>();
    } else if (value.is_string() && !value.get_ref<const std::string&>().empty()) {
      class_name = value.get<std::string>();
    } else {
      throw Error(where_, "\"label\" is neither a class number nor a class name");
    }
  }

  Json rest() { return std::move(object_); }

 private:
  // Captions are handed from tool to tool on lines: white space of any kind becomes one space.
  void add_caption(const char* name, const Json& value, std::vector<std::string>& captions) const {
    if (!value.is_string()) {
      throw Error(where_, fmt::format("\"{}\" holds something else than strings", name));
    }
    std::string caption;
    bool gap = false;
    for (const char c : value.get_ref<const std::string&>()) {
      if (c == ' ' || (c >= '\t' && c <= '\r')) {
        gap = !caption.empty();
        continue;
      }
      if (gap) caption += ' ';
      gap = false;
      caption += c;
    }
    const bool repeated = std::find(captions.begin(), captions.end(), caption) != captions.end();
    if (!caption.empty() && !repeated) captions.push_back(std::move(caption));
  }

  std::string where_;
  Json object_;
};

void check_is_there(const std::string& path, const std::string& where) {
  struct stat info;
  if (::stat(path.c_str(), &info) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) {
      throw Error(where, fmt::format("the image {} does not exist", as_key_text(path)));
    }
    throw Error::from_errno(where, fmt::format("the image {} cannot be read", as_key_text(path)));
  }
  if (!S_ISREG(info.st_mode)) {
    throw Error(where, fmt::format("the image {} is not a file", as_key_text(path)));
  }
}

// Collects the examples of a list, and what must hold for all lines together.
class ListReader {
 public:
  ListReader(const std::string& name, const std::string& folder) : folder_(folder) {
    dataset_.name = name;
  }

  void add(std::string_view text, uint64_t line_number) {
    ListLine line(text, at(line_number));
    Example example;
    const std::string image = line.take_image();
    example.path = join_path(folder_, image);
    check_is_there(example.path, line.where());
    example.key = line.take_key();
    if (example.key.empty()) example.key = key_of_path(image);
    if (example.key.empty() || example.key.size() > kMaxKey) {
      throw Error(line.where(), "the image's path cannot be its key", "give the line a \"key\"");
    }
    example.captions = line.take_captions();
    std::string class_name;
    line.take_label(example, class_name);
    check_same_labels(example.label >= 0   ? "class number"
                      : class_name.empty() ? ""
                                           : "class name",
                      line_number);
    example.more = line.rest();
    dataset_.examples.push_back(std::move(example));
    class_names_.push_back(std::move(class_name));
    line_numbers_.push_back(line_number);
  }

  Dataset finish() {
    if (dataset_.examples.empty()) throw Error(dataset_.name, "the list is empty");
    check_keys(dataset_.examples,
               "give each line its own \"key\"; several captions of one image "
               "are one line with \"captions\"",
               [&](size_t i) { return at(line_numbers_[i]); });
    if (label_kind_ == std::string_view("class name")) number_classes();
    return std::move(dataset_);
  }

 private:
  std::string at(uint64_t line_number) const {
    return fmt::format("{}: line {}", dataset_.name, line_number);
  }

  void check_same_labels(const char* kind, uint64_t line_number) {
    if (dataset_.examples.empty()) label_kind_ = kind;
    if (std::strcmp(kind, label_kind_) == 0) return;
    const auto show = [](const char* k) { return *k ? fmt::format("a {}", k) : "no label"; };
    throw Error(at(line_number), fmt::format("has {}, but line {} has {}", show(kind),
                                             line_numbers_.front(), show(label_kind_)));
  }

  void number_classes() {
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

  std::string folder_;
  Dataset dataset_;
  const char* label_kind_ = "";
  std::vector<std::string> class_names_;
  std::vector<uint64_t> line_numbers_;
};

}  // namespace

Dataset read_list(Input& input, const std::string& folder) {
  ListReader reader(input.name(), folder);
  std::string line;
  for (uint64_t number = 1; input.read_line(line, kMaxLine); ++number) {
    std::string_view text = line;
    if (number == 1 && text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
    if (text.find_first_not_of(" \t\r") == text.npos) continue;
    reader.add(text, number);
  }
  return reader.finish();
}

}  // namespace vq
