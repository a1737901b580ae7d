// Captions of COCO: one JSON file of images and annotations, the pictures in a folder near it.
//
// An image has the captions of its annotations in the order of their ids; images without one are
// left out, as everywhere where an annotation is what counts. The key is the file's name without
// extension; "image_id" is passed on, for scores are compared by it.
#include <dirent.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <unordered_map>

#include "formats/coco_captions.h"
#include "formats/dataset_parts.h"
#include "formats/error.h"

namespace vq {
namespace {

constexpr std::string_view kPrefix = "captions_";

struct CocoImage {
  std::string file;
  int64_t id;
  size_t number;                                              // in the file, for messages
  std::vector<std::pair<int64_t, const std::string*>> texts;  // by annotation id
};

// What "file_name" says, or the name that the images of 2017 have.
std::string file_of(const CocoCaptions::Image& image) {
  return image.file.empty() ? fmt::format("{:012}.jpg", image.id) : image.file;
}

std::vector<CocoImage> join(const CocoCaptions& captions, const std::string& name) {
  std::vector<CocoImage> images;
  std::unordered_map<int64_t, size_t> by_id;
  images.reserve(captions.images.size());
  for (size_t i = 0; i < captions.images.size(); ++i) {
    const CocoCaptions::Image& image = captions.images[i];
    const auto [it, fresh] = by_id.try_emplace(image.id, i);
    if (!fresh) {
      throw Error(fmt::format("{}: images[{}]", name, i),
                  fmt::format("its id {} is that of images[{}]", image.id, it->second));
    }
    images.push_back({file_of(image), image.id, i, {}});
  }
  for (size_t i = 0; i < captions.annotations.size(); ++i) {
    const CocoCaptions::Annotation& annotation = captions.annotations[i];
    const auto it = by_id.find(annotation.image);
    if (it == by_id.end()) {
      throw Error(fmt::format("{}: annotations[{}]", name, i),
                  fmt::format("there is no image {}", annotation.image));
    }
    images[it->second].texts.emplace_back(annotation.id, &annotation.caption);
  }
  return images;
}

// The first of the folders that holds the file; an absolute name needs none of them.
std::string folder_with(const std::string& file, const std::vector<std::string>& folders,
                        const std::string& where) {
  std::string places;
  for (const std::string& folder : folders) {
    if (is_file(join_path(folder, file))) return folder;
    places += fmt::format("{}{}", places.empty() ? "" : ", ", folder.empty() ? "." : folder);
  }
  throw Error(where,
              fmt::format("the image {} is in none of the folders {}", as_key_text(file), places));
}

}  // namespace

Dataset read_coco(Input& input, const std::vector<std::string>& folders) {
  const std::string name = input.name();
  const CocoCaptions captions = read_coco_captions(input);
  Dataset dataset{name, {}, {}};
  std::vector<size_t> numbers;
  std::string folder;
  for (CocoImage& image : join(captions, name)) {
    std::sort(image.texts.begin(), image.texts.end(),
              [](const auto& a, const auto& b) { return a.first < b.first; });
    Example example;
    for (const auto& [id, text] : image.texts) add_caption(*text, example.captions);
    if (example.captions.empty()) continue;
    const std::string where = fmt::format("{}: images[{}]", name, image.number);
    if (dataset.examples.empty()) folder = folder_with(image.file, folders, where);
    example.picture.path = join_path(folder, image.file);
    check_is_there(example.picture.path, where);
    example.key = key_of_path(base_name(image.file));
    if (example.key.empty() || example.key.size() > kMaxKey) {
      throw Error(where, "the name of its file cannot be its key");
    }
    example.more["image_id"] = image.id;
    dataset.examples.push_back(std::move(example));
    numbers.push_back(image.number);
  }
  if (dataset.examples.empty()) throw Error(name, "has no image with a caption");
  check_keys(dataset.examples, "",
             [&](size_t i) { return fmt::format("{}: images[{}]", name, numbers[i]); });
  return dataset;
}

std::string find_coco_captions(const std::string& folder) {
  const std::string place = join_path(folder, "annotations");
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(place.c_str()), ::closedir);
  std::vector<std::string> found;
  while (const dirent* entry = dir ? ::readdir(dir.get()) : nullptr) {
    const std::string_view name = entry->d_name;
    if (name.starts_with(kPrefix) && name.ends_with(".json")) found.emplace_back(name);
  }
  if (found.empty()) return "";
  std::sort(found.begin(), found.end());
  if (found.size() > 1) {
    throw Error(
        folder, fmt::format("holds the captions of several data sets: {}", fmt::join(found, ", ")),
        fmt::format("name one, as {}, or say --format folder", join_path(place, found.front())));
  }
  return join_path(place, found.front());
}

Dataset open_coco(const std::string& path) {
  if (is_folder(path)) {
    const std::string file = find_coco_captions(path);
    if (file.empty()) throw Error(path, "has no annotations/captions_*.json");
    return open_coco(file);
  }
  Input input = Input::open(path);
  const std::string here = folder_of(path);
  const std::string root = parent_of(here);
  // captions_val2017.json is about the pictures of val2017.
  std::string split(base_name(path));
  if (split.ends_with(".json")) split.resize(split.size() - 5);
  if (split.starts_with(kPrefix)) split.erase(0, kPrefix.size());
  std::vector<std::string> folders;
  for (const std::string& above : {root, here}) {
    for (const std::string& below : {split, "images/" + split, split + "/" + split}) {
      folders.push_back(join_path(above, below));
    }
    folders.push_back(join_path(above, "images"));
    folders.push_back(above);
  }
  std::erase_if(folders, [](const std::string& f) { return !is_folder(f.empty() ? "." : f); });
  return read_coco(input, folders);
}

}  // namespace vq
