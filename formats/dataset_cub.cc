// CUB-200-2011: birds with a class, a split, and, where somebody put them there, ten captions each.
//
//   images.txt               "1 001.Black_footed_Albatross/Black_Footed_Albatross_0046_18.jpg"
//   image_class_labels.txt   "1 1"   the class counts from 1 there, and from 0 here
//   classes.txt              "1 001.Black_footed_Albatross"; without it the folders are the names
//   train_test_split.txt     "1 0"   1 is training
//   text/CLASS/NAME.txt      a caption a line
//   train/filenames.pickle, test/filenames.pickle
//                            lists of CLASS/NAME: the split by classes that papers on captions use
//                            (8855 and 2933 pictures)
// Texts and lists of names never came with the pictures. Texts lie in text/, text/text/ or
// text_c10/; they and train/, test/ inside of the folder of images/ or beside it. Where somebody
// kept only images/, texts and lists, the lists together are the data set, and the number before
// the point in a folder's name is its class.
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <map>
#include <unordered_map>

#include "formats/dataset_parts.h"
#include "formats/error.h"
#include "formats/name_pickle.h"

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
  int label = -1;
};

// The name of a file of images/ is CLASS/NAME.
void check_cub_name(const std::string& name, const std::string& where) {
  if (name.find('/') == name.npos || name.find('\0') != name.npos) {
    throw Error(where, fmt::format("'{}' is not CLASS/NAME", as_key_text(name)));
  }
}

std::string stem_of(const std::string& file) { return file.substr(0, file.rfind('.')); }
std::string folder_of(const std::string& file) { return file.substr(0, file.find('/')); }

// images.txt with the classes of its images.
std::vector<CubImage> read_images(const std::string& root) {
  const std::string path = join_path(root, "images.txt");
  const std::string labels_path = join_path(root, "image_class_labels.txt");
  const auto labels = read_numbers(labels_path, 1, kMaxClass);
  NumberedLines lines(path);
  std::vector<CubImage> images;
  std::map<int64_t, bool> seen;
  CubImage image;
  while (lines.next(image.number, image.file)) {
    check_cub_name(image.file, lines.where());
    if (!seen.emplace(image.number, true).second) {
      throw Error(lines.where(), fmt::format("image {} is there twice", image.number));
    }
    image.label = number_of(labels, image.number, labels_path) - 1;
    images.push_back(image);
  }
  if (images.empty()) throw Error(path, "the list is empty");
  return images;
}

// SPLIT/filenames.pickle, in the folder of images/ or beside it; "" where there is none.
std::string find_names(const std::string& root, const char* split) {
  for (const std::string& above : {root, parent_of(root)}) {
    std::string path = join_path(above, std::string(split) + "/filenames.pickle");
    if (is_file(path)) return path;
  }
  return "";
}

std::vector<std::string> read_names(const std::string& path) {
  constexpr uint64_t kMaxPickle = 64 << 20;
  return read_name_pickle(read_file(path, kMaxPickle), path);
}

// What the lists of names say, for lack of tables.
std::vector<CubImage> images_of_lists(const std::string& root) {
  std::vector<CubImage> images;
  for (const char* split : {"train", "test"}) {
    const std::string path = find_names(root, split);
    if (path.empty()) continue;
    for (const std::string& name : read_names(path)) {
      check_cub_name(name, path);
      CubImage image{static_cast<int64_t>(images.size()) + 1, name + ".jpg"};
      const std::string folder = folder_of(name);
      const auto [stop, error] =
          std::from_chars(folder.data(), folder.data() + folder.size(), image.label);
      if (error != std::errc() || *stop != '.' || image.label < 1 || image.label > kMaxClass) {
        throw Error(path, fmt::format("the folder '{}' does not begin with the number of a class",
                                      as_key_text(folder)));
      }
      --image.label;
      images.push_back(std::move(image));
    }
  }
  if (images.empty()) throw Error(root, "its lists of names are empty");
  return images;
}

// The images of one part: those a list names, or else those train_test_split.txt has in it.
std::vector<CubImage> choose_part(const std::string& root, DatasetSplit split,
                                  std::vector<CubImage> images) {
  const bool train = split == DatasetSplit::train;
  const char* const word = train ? "train" : "test";
  std::vector<CubImage> chosen;
  if (const std::string path = find_names(root, word); !path.empty()) {
    std::unordered_map<std::string, const CubImage*> by_name;
    for (const CubImage& image : images) by_name.emplace(stem_of(image.file), &image);
    for (const std::string& name : read_names(path)) {
      const auto it = by_name.find(name);
      if (it == by_name.end()) {
        throw Error(path, fmt::format("names '{}', which the data set has not", as_key_text(name)));
      }
      chosen.push_back(*it->second);
    }
    return chosen;
  }
  // One list alone and the table would put the same images into both parts.
  if (!find_names(root, train ? "test" : "train").empty()) {
    throw Error(root, fmt::format("has no {}/filenames.pickle", word));
  }
  const std::string path = join_path(root, "train_test_split.txt");
  const auto in_training = read_numbers(path, 0, 1);
  for (CubImage& image : images) {
    if (number_of(in_training, image.number, path) == (train ? 1 : 0)) {
      chosen.push_back(std::move(image));
    }
  }
  return chosen;
}

// The names of all classes, also of those that are not in this part.
std::vector<std::string> name_classes(const std::string& root,
                                      const std::vector<CubImage>& images) {
  int count = 0;
  for (const CubImage& image : images) count = std::max(count, image.label + 1);
  std::vector<std::string> names;
  if (const std::string path = join_path(root, "classes.txt"); is_file(path)) {
    names = read_classes(path, count);
  } else {
    names.resize(static_cast<size_t>(count));
    for (const CubImage& image : images) {
      std::string& name = names[static_cast<size_t>(image.label)];
      if (name.empty()) name = as_key_text(folder_of(image.file));
    }
  }
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i].empty()) names[i] = fmt::format("{:03}", i + 1);
  }
  return names;
}

}  // namespace

std::string find_cub(const std::string& path) {
  for (const std::string& root : {path, join_path(path, "CUB_200_2011")}) {
    if (!is_folder(join_path(root, "images"))) continue;
    if (is_file(join_path(root, "images.txt"))) return root;
    for (const char* split : {"train", "test"}) {
      if (!find_names(root, split).empty()) return root;
    }
  }
  return "";
}

Dataset open_cub(const std::string& path, DatasetSplit split) {
  const std::string root = find_cub(path);
  if (root.empty()) {
    throw Error(path, "is no CUB-200-2011: no images/ with images.txt or lists (filenames.pickle)");
  }
  const std::string list = join_path(root, "images.txt");
  const bool tables = is_file(list);
  std::vector<CubImage> images = tables ? read_images(root) : images_of_lists(root);
  const std::string texts = find_texts(root, stem_of(images.front().file));

  Dataset dataset{path, {}, name_classes(root, images)};
  if (split != DatasetSplit::all) images = choose_part(root, split, std::move(images));
  for (const CubImage& image : images) {
    Example& example = dataset.examples.emplace_back();
    example.picture.path = join_path(root, "images/" + image.file);
    check_is_there(example.picture.path,
                   fmt::format("{}: image {}", tables ? list : root, image.number));
    example.key = key_of_path(image.file);
    if (example.key.empty() || example.key.size() > kMaxKey) {
      throw Error(example.picture.path, fmt::format("its name is longer than {} bytes", kMaxKey));
    }
    example.label = image.label;
    if (!texts.empty()) {
      example.captions = read_captions(join_path(texts, stem_of(image.file) + ".txt"));
    }
  }
  if (dataset.examples.empty()) throw Error(path, "no image is in this split");
  check_keys(dataset.examples, "", [&](size_t i) { return dataset.examples[i].picture.path; });
  return dataset;
}

}  // namespace vq
