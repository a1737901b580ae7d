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

#include "formats/dataset_parts.h"
#include "formats/error.h"

namespace vq {
namespace {

constexpr uint64_t kMaxJson = uint64_t{1} << 30;  // train2014 has 67 MB
constexpr std::string_view kPrefix = "captions_";

const Json& member(const Json& object, const char* name, const std::string& where) {
  const auto it = object.find(name);
  if (it == object.end()) throw Error(where, fmt::format("has no \"{}\"", name));
  return *it;
}

const Json& list_of(const Json& root, const char* name, const std::string& where) {
  const Json& list = member(root, name, where);
  if (!list.is_array()) throw Error(where, fmt::format("\"{}\" is not a list", name));
  for (size_t i = 0; i < list.size(); ++i) {
    if (!list[i].is_object()) {
      throw Error(where, fmt::format("{}[{}] is not an object", name, i));
    }
  }
  return list;
}

int64_t id_of(const Json& object, const char* name, const std::string& where) {
  const Json& value = member(object, name, where);
  const bool fits = value.is_number_integer() &&
                    (!value.is_number_unsigned() || value.get<uint64_t>() <= INT64_MAX);
  if (!fits) throw Error(where, fmt::format("\"{}\" is not a whole number", name));
  return value.get<int64_t>();
}

// What "file_name" says, or the name that the images of 2017 have.
std::string file_of(const Json& image, int64_t id, const std::string& where) {
  const auto it = image.find("file_name");
  if (it == image.end()) return fmt::format("{:012}.jpg", id);
  if (!it->is_string() || it->get_ref<const std::string&>().empty()) {
    throw Error(where, "\"file_name\" is not a path");
  }
  const auto& name = it->get_ref<const std::string&>();
  if (name.find('\0') != name.npos) throw Error(where, "\"file_name\" holds a NUL");
  return name;
}

struct CocoImage {
  std::string file;
  int64_t id;
  size_t number;                                            // in the file, for messages
  std::vector<std::pair<int64_t, std::string_view>> texts;  // by annotation id
};

std::vector<CocoImage> read_images(const Json& root, const std::string& name) {
  const Json& list = list_of(root, "images", name);
  std::vector<CocoImage> images;
  std::unordered_map<int64_t, size_t> by_id;
  images.reserve(list.size());
  for (size_t i = 0; i < list.size(); ++i) {
    const std::string where = fmt::format("{}: images[{}]", name, i);
    const int64_t id = id_of(list[i], "id", where);
    const auto [it, fresh] = by_id.try_emplace(id, i);
    if (!fresh) {
      throw Error(where, fmt::format("its id {} is that of images[{}]", id, it->second));
    }
    images.push_back({file_of(list[i], id, where), id, i, {}});
  }
  const Json& annotations = list_of(root, "annotations", name);
  for (size_t i = 0; i < annotations.size(); ++i) {
    const std::string where = fmt::format("{}: annotations[{}]", name, i);
    const Json& text = [&]() -> const Json& {
      const auto it = annotations[i].find("caption");
      if (it != annotations[i].end() && it->is_string()) return *it;
      throw Error(where, "has no \"caption\"", "are these annotations of another kind?");
    }();
    const int64_t image = id_of(annotations[i], "image_id", where);
    const auto it = by_id.find(image);
    if (it == by_id.end()) throw Error(where, fmt::format("there is no image {}", image));
    images[it->second].texts.emplace_back(id_of(annotations[i], "id", where),
                                          text.get_ref<const std::string&>());
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
  const Bytes bytes = input.read_all(kMaxJson);
  const Json root = parse_json(as_text(bytes), name);
  if (!root.is_object()) throw Error(name, "is not a JSON object with \"images\"");
  Dataset dataset{name, {}, {}};
  std::vector<size_t> numbers;
  std::string folder;
  for (CocoImage& image : read_images(root, name)) {
    std::sort(image.texts.begin(), image.texts.end(),
              [](const auto& a, const auto& b) { return a.first < b.first; });
    Example example;
    for (const auto& [id, text] : image.texts) add_caption(text, example.captions);
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
