#include "formats/dataset.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <string_view>
#include <unordered_set>

#include "formats/dataset_parts.h"
#include "formats/dataset_shards.h"
#include "formats/detect.h"
#include "formats/error.h"
#include "formats/shard_names.h"

namespace vq {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

Dataset open_image(const std::string& path) {
  Example example;
  example.key = key_of_path(base_name(path));
  example.picture.path = path;
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

// Names of shards may stand for several, and then nothing lies at the path itself.
bool names_shards(const std::string& path) {
  const bool several = path.find("::") != path.npos || path.find('{') != path.npos;
  return several && has_shard_ending(path);
}

std::vector<std::string> shard_paths(const std::string& path) {
  struct stat info;
  if (::stat(path.c_str(), &info) == 0) return {path};
  return expand_shard_names(path);
}

Dataset open_shards(const std::string& name, std::vector<std::string> paths) {
  ShardReader reader(std::move(paths), ShardReader::Pictures::in_place);
  Dataset dataset{name, {}, {}};
  for (Example example; reader.next(example);) dataset.examples.push_back(std::move(example));
  return dataset;
}

// Which spelling lies at `path`, by what is there: names first, first bytes where they say nothing.
DatasetFormat find_format(const std::string& path) {
  struct stat info;
  if (::stat(path.c_str(), &info) != 0) {
    if (names_shards(path)) return DatasetFormat::shards;
    throw Error::from_errno(path, "cannot open");
  }
  if (S_ISDIR(info.st_mode)) {
    if (!find_cub(path).empty()) return DatasetFormat::cub;
    return find_coco_captions(path).empty() ? DatasetFormat::folder : DatasetFormat::coco;
  }
  const std::string ending = extension(path);
  if (ending == "jsonl" || ending == "ndjson") return DatasetFormat::jsonl;
  if (ending == "csv") return DatasetFormat::csv;
  if (ending == "tsv" || ending == "tab") return DatasetFormat::tsv;
  if (ending == "json") return DatasetFormat::coco;
  if (has_shard_ending(path)) return DatasetFormat::shards;
  if (!has_image_ending(path) && detect_file(path) == Format::tar) return DatasetFormat::shards;
  return DatasetFormat::automatic;
}

Dataset open_format(const std::string& path, DatasetFormat format, DatasetSplit split) {
  switch (format) {
    case DatasetFormat::folder:
      return open_folder(path);
    case DatasetFormat::coco:
      return open_coco(path);
    case DatasetFormat::cub:
      return open_cub(path, split);
    case DatasetFormat::shards:
      return open_shards(path, shard_paths(path));
    case DatasetFormat::jsonl:
    case DatasetFormat::csv:
    case DatasetFormat::tsv: {
      Input input = Input::open(path);
      return read_list(input, folder_of(path), format);
    }
    case DatasetFormat::automatic:
      break;
  }
  if (has_image_ending(path)) return open_image(path);
  const Format found = detect_file(path);
  if (is_image(found)) return open_image(path);
  throw Error(
      path,
      fmt::format("is {}; expected a folder, a list (.jsonl, .csv, .tsv, COCO's .json), tar "
                  "shards or a PNG, JPEG, WebP or PPM image",
                  describe(found)),
      hint_for(Format::png, found));
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

const std::vector<std::string>& dataset_format_words() {
  static const std::vector<std::string> words = {"auto", "folder", "jsonl", "csv",
                                                 "tsv",  "coco",   "cub",   "shards"};
  return words;
}

DatasetFormat dataset_format_from_word(std::string_view word) {
  const auto& words = dataset_format_words();
  const auto it = std::find(words.begin(), words.end(), word);
  if (it == words.end()) throw Error("", fmt::format("'{}' is not a data set's format", word));
  return static_cast<DatasetFormat>(it - words.begin());
}

DatasetSplit dataset_split_from_word(std::string_view word) {
  if (word == "all") return DatasetSplit::all;
  if (word == "train") return DatasetSplit::train;
  if (word == "test") return DatasetSplit::test;
  throw Error("", fmt::format("'{}' is not a split", word));
}

void check_split(const std::string& where, DatasetFormat format, const DatasetOptions& options) {
  if (options.split != DatasetSplit::all && format != DatasetFormat::cub) {
    throw Error(where, "only CUB-200-2011 comes with a split into training and test pictures");
  }
}

bool find_all_shards(const std::vector<std::string>& paths, const DatasetOptions& options,
                     std::vector<std::string>& shards) {
  for (const std::string& path : paths) {
    const DatasetFormat format =
        options.format == DatasetFormat::automatic ? find_format(path) : options.format;
    if (format != DatasetFormat::shards) return false;
    check_split(path, format, options);
    for (std::string& shard : shard_paths(path)) shards.push_back(std::move(shard));
  }
  return !paths.empty();
}

Dataset open_dataset(const std::string& path, const DatasetOptions& options) {
  const DatasetFormat format =
      options.format == DatasetFormat::automatic ? find_format(path) : options.format;
  check_split(path, format, options);
  return open_format(path, format, options.split);
}

Dataset open_datasets(const std::vector<std::string>& paths, const DatasetOptions& options) {
  if (paths.empty()) throw Error::usage("", "no data set given");
  if (paths.size() == 1) return open_dataset(paths[0], options);
  std::vector<std::string> shards;
  if (find_all_shards(paths, options, shards)) return open_shards(paths.front(), shards);
  std::vector<Dataset> sets;
  std::vector<bool> is_folder;
  for (const std::string& path : paths) {
    sets.push_back(open_dataset(path, options));
    is_folder.push_back(vq::is_folder(path));
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
