// CUB-200-2011: birds with a class, a split, and, where somebody put them there, ten captions each.
//
//   images.txt               "1 001.Black_footed_Albatross/Black_Footed_Albatross_0046_18.jpg"
//   image_class_labels.txt   "1 1"   the class counts from 1 there, and from 0 here
//   classes.txt              "1 001.Black_footed_Albatross"; without it the folders are the names
//   train_test_split.txt     "1 0"   1 is training
//   text/CLASS/NAME.txt      a caption a line
// The texts never came with the pictures: they lie in text/, text/text/ or text_c10/, inside of
// the folder of images.txt or beside it.
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <map>
#include <unordered_map>

#include "formats/dataset_parts.h"
#include "formats/error.h"

namespace vq {
namespace {

constexpr int kMaxClass = 1'000'000;

// One of the tables: a number, one space, a value.
class NumberedLines {
 public:
  explicit NumberedLines(const std::string& path) : input_(Input::open(path)) {}

  bool next(int64_t& number, std::string& value) {
    while (input_.read_line(text_)) {
      ++line_;
      if (text_.ends_with('\r')) text_.pop_back();
      if (text_.empty()) continue;
      const char* const end = text_.data() + text_.size();
      const auto [stop, error] = std::from_chars(text_.data(), end, number);
      if (error != std::errc() || stop == end || *stop != ' ' || stop + 1 == end) {
        throw Error(where(), "is not a number, a space and a value");
      }
      value.assign(stop + 1, end);
      return true;
    }
    return false;
  }

  std::string where() const { return fmt::format("{}: line {}", input_.name(), line_); }

 private:
  Input input_;
  std::string text_;
  uint64_t line_ = 0;
};

// A table whose values are whole numbers, by image.
std::unordered_map<int64_t, int> read_numbers(const std::string& path, int least, int most) {
  NumberedLines lines(path);
  std::unordered_map<int64_t, int> numbers;
  int64_t image;
  std::string text;
  while (lines.next(image, text)) {
    int value = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc() || stop != end || value < least || value > most) {
      throw Error(lines.where(), fmt::format("'{}' is not a number from {} to {}",
                                             as_key_text(text), least, most));
    }
    if (!numbers.emplace(image, value).second) {
      throw Error(lines.where(), fmt::format("image {} is there twice", image));
    }
  }
  return numbers;
}

int number_of(const std::unordered_map<int64_t, int>& numbers, int64_t image,
              const std::string& path) {
  const auto it = numbers.find(image);
  if (it == numbers.end()) throw Error(path, fmt::format("has no line for image {}", image));
  return it->second;
}

std::vector<std::string> read_captions(const std::string& path) {
  Input input = Input::open(path);
  std::vector<std::string> captions;
  for (std::string line; input.read_line(line);) add_caption(as_utf8(line), captions);
  return captions;
}

// The folder of texts that has one for `name` ("CLASS/NAME"); "" when there are no texts.
std::string find_texts(const std::string& root, const std::string& name) {
  for (const std::string& above : {root, parent_of(root)}) {
    for (const char* below : {"text", "text/text", "text_c10"}) {
      std::string folder = join_path(above, below);
      if (is_file(join_path(folder, name + ".txt"))) return folder;
    }
  }
  return "";
}

std::vector<std::string> read_classes(const std::string& path, int count) {
  std::vector<std::string> names(static_cast<size_t>(count));
  NumberedLines lines(path);
  int64_t number;
  std::string name;
  while (lines.next(number, name)) {
    if (number < 1 || number > kMaxClass) {
      throw Error(lines.where(), fmt::format("the class {} is outside 1..{}", number, kMaxClass));
    }
    if (static_cast<size_t>(number) > names.size()) names.resize(static_cast<size_t>(number));
    names[static_cast<size_t>(number) - 1] = as_key_text(name);
  }
  return names;
}

struct CubImage {
  int64_t number;
  std::string file;
};

std::vector<CubImage> read_images(const std::string& path) {
  NumberedLines lines(path);
  std::vector<CubImage> images;
  std::map<int64_t, bool> seen;
  CubImage image;
  while (lines.next(image.number, image.file)) {
    if (image.file.find('/') == image.file.npos || image.file.find('\0') != image.file.npos) {
      throw Error(lines.where(), fmt::format("'{}' is not CLASS/NAME", as_key_text(image.file)));
    }
    if (!seen.emplace(image.number, true).second) {
      throw Error(lines.where(), fmt::format("image {} is there twice", image.number));
    }
    images.push_back(image);
  }
  if (images.empty()) throw Error(path, "the list is empty");
  return images;
}

}  // namespace

std::string find_cub(const std::string& path) {
  for (const std::string& root : {path, join_path(path, "CUB_200_2011")}) {
    if (is_file(join_path(root, "images.txt")) && is_folder(join_path(root, "images"))) return root;
  }
  return "";
}

Dataset open_cub(const std::string& path, DatasetSplit split) {
  const std::string root = find_cub(path);
  if (root.empty()) throw Error(path, "has no images.txt and images/, as CUB-200-2011 has");
  const std::string list = join_path(root, "images.txt");
  const std::string labels_path = join_path(root, "image_class_labels.txt");
  const std::string split_path = join_path(root, "train_test_split.txt");
  const bool all = split == DatasetSplit::all;
  const auto labels = read_numbers(labels_path, 1, kMaxClass);
  const auto in_training =
      all ? std::unordered_map<int64_t, int>() : read_numbers(split_path, 0, 1);
  const std::vector<CubImage> images = read_images(list);
  const auto stem_of = [](const std::string& file) { return file.substr(0, file.rfind('.')); };
  const std::string texts = find_texts(root, stem_of(images.front().file));

  Dataset dataset{path, {}, {}};
  int classes = 0;
  std::map<int, std::string> folder_of_class;
  for (const CubImage& image : images) {
    const int label = number_of(labels, image.number, labels_path) - 1;
    classes = std::max(classes, label + 1);
    folder_of_class.emplace(label, image.file.substr(0, image.file.find('/')));
    if (!all && number_of(in_training, image.number, split_path) !=
                    (split == DatasetSplit::train ? 1 : 0)) {
      continue;
    }
    Example& example = dataset.examples.emplace_back();
    example.picture.path = join_path(root, "images/" + image.file);
    check_is_there(example.picture.path, fmt::format("{}: image {}", list, image.number));
    example.key = key_of_path(image.file);
    if (example.key.empty() || example.key.size() > kMaxKey) {
      throw Error(example.picture.path, fmt::format("its name is longer than {} bytes", kMaxKey));
    }
    example.label = label;
    if (!texts.empty()) {
      example.captions = read_captions(join_path(texts, stem_of(image.file) + ".txt"));
    }
  }
  if (dataset.examples.empty()) throw Error(path, "no image is in this split");
  const std::string names = join_path(root, "classes.txt");
  if (is_file(names)) {
    dataset.classes = read_classes(names, classes);
  } else {
    dataset.classes.resize(static_cast<size_t>(classes));
    for (const auto& [label, name] : folder_of_class) dataset.classes[label] = as_key_text(name);
  }
  for (size_t i = 0; i < dataset.classes.size(); ++i) {
    if (dataset.classes[i].empty()) dataset.classes[i] = fmt::format("{:03}", i + 1);
  }
  check_keys(dataset.examples, "", [&](size_t i) { return dataset.examples[i].picture.path; });
  return dataset;
}

}  // namespace vq
