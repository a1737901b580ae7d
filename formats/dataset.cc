#include "formats/dataset.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <string_view>
#include <unordered_set>

#include "formats/dataset_parts.h"
#include "formats/detect.h"
#include "formats/error.h"

namespace vq {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

Dataset open_image(const std::string& path) {
  Example example;
  example.key = key_of_path(base_name(path));
  example.path = path;
  return {path, {std::move(example)}, {}};
}

bool keys_clash(const std::vector<Dataset>& sets, const std::vector<std::string>& prefixes) {
  std::unordered_set<std::string> seen;
  for (size_t i = 0; i < sets.size(); ++i) {
    for (const Example& example : sets[i].examples) {
      if (!seen.insert(prefixes[i] + example.key).second) return true;
    }
  }
  return false;
}

// The shortest spelling of the folders' names that tells the keys apart: none, the last folder, the
// whole path as given.
std::vector<std::string> prefixes_for(const std::vector<Dataset>& sets,
                                      const std::vector<bool>& is_folder) {
  std::vector<std::string> none(sets.size()), last, whole;
  for (size_t i = 0; i < sets.size(); ++i) {
    const std::string folder = is_folder[i] ? sets[i].name : folder_of(sets[i].name);
    // The dot keeps key_of_path from taking a folder's ".v2" for an extension.
    const auto prefix = [](std::string_view name) {
      const std::string key = key_of_path(std::string(name) + "/.");
      return key.empty() ? key : key + "/";
    };
    last.push_back(prefix(base_name(folder)));
    whole.push_back(prefix(folder));
  }
  for (const auto& prefixes : {none, last, whole}) {
    if (!keys_clash(sets, prefixes)) return prefixes;
  }
  throw Error("",
              fmt::format("the same keys are in several of the data sets {} ... {}",
                          sets.front().name, sets.back().name),
              "is one of them given twice?");
}

const char* label_kind(const Dataset& set) {
  if (!set.classes.empty()) return "class names";
  return set.examples.front().label >= 0 ? "class numbers" : "no labels";
}

// One numbering for all: the classes of every set, sorted.
void unite_classes(std::vector<Dataset>& sets, std::vector<std::string>& classes) {
  for (const Dataset& set : sets) {
    if (std::strcmp(label_kind(set), label_kind(sets.front())) != 0) {
      throw Error(set.name, fmt::format("has {}, but {} has {}", label_kind(set), sets.front().name,
                                        label_kind(sets.front())));
    }
    classes.insert(classes.end(), set.classes.begin(), set.classes.end());
  }
  std::sort(classes.begin(), classes.end());
  classes.erase(std::unique(classes.begin(), classes.end()), classes.end());
  for (Dataset& set : sets) {
    if (set.classes.empty()) continue;
    std::vector<int> number;
    for (const std::string& name : set.classes) {
      const auto it = std::lower_bound(classes.begin(), classes.end(), name);
      number.push_back(static_cast<int>(it - classes.begin()));
    }
    for (Example& example : set.examples) example.label = number[example.label];
  }
}

bool is_folder_path(const std::string& path) {
  struct stat info;
  if (::stat(path.c_str(), &info) != 0) throw Error::from_errno(path, "cannot open");
  return S_ISDIR(info.st_mode);
}

}  // namespace

bool natural_less(const std::string& a, const std::string& b) {
  size_t i = 0, j = 0;
  while (i < a.size() && j < b.size()) {
    if (is_digit(a[i]) && is_digit(b[j])) {
      while (i < a.size() && a[i] == '0') ++i;
      while (j < b.size() && b[j] == '0') ++j;
      size_t end_i = i, end_j = j;
      while (end_i < a.size() && is_digit(a[end_i])) ++end_i;
      while (end_j < b.size() && is_digit(b[end_j])) ++end_j;
      if (end_i - i != end_j - j) return end_i - i < end_j - j;
      const int order = a.compare(i, end_i - i, b, j, end_j - j);
      if (order != 0) return order < 0;
      i = end_i, j = end_j;
    } else {
      const auto ca = static_cast<uint8_t>(a[i++]), cb = static_cast<uint8_t>(b[j++]);
      if (ca != cb) return ca < cb;
    }
  }
  if ((i < a.size()) != (j < b.size())) return j < b.size();
  return a < b;  // "img02" and "img2": some fixed order
}

Dataset open_dataset(const std::string& path) {
  if (is_folder_path(path)) return open_folder(path);
  const std::string ending = extension(path);
  if (ending == "jsonl" || ending == "ndjson") {
    Input input = Input::open(path);
    return read_list(input, folder_of(path));
  }
  if (has_image_ending(path)) return open_image(path);
  const Format found = detect_file(path);
  if (found == Format::png || found == Format::jpeg || found == Format::ppm)
    return open_image(path);
  throw Error(path,
              fmt::format("is {}; expected a folder, a .jsonl list or a PNG, JPEG or PPM image",
                          describe(found)),
              hint_for(Format::png, found));
}

Dataset open_datasets(const std::vector<std::string>& paths) {
  if (paths.empty()) throw Error::usage("", "no data set given");
  if (paths.size() == 1) return open_dataset(paths[0]);
  std::vector<Dataset> sets;
  std::vector<bool> is_folder;
  for (const std::string& path : paths) {
    sets.push_back(open_dataset(path));
    is_folder.push_back(is_folder_path(path));
  }
  Dataset all;
  unite_classes(sets, all.classes);
  const std::vector<std::string> prefixes = prefixes_for(sets, is_folder);
  for (size_t i = 0; i < sets.size(); ++i) {
    all.name += (i ? " " : "") + sets[i].name;
    for (Example& example : sets[i].examples) {
      example.key = prefixes[i] + example.key;
      all.examples.push_back(std::move(example));
    }
  }
  return all;
}

}  // namespace vq
