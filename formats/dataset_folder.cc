// Folders of images, and sub-folders as classes.
#include <dirent.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <memory>
#include <utility>

#include "formats/dataset_parts.h"
#include "formats/detect.h"
#include "formats/error.h"

namespace vq {
namespace {

constexpr size_t kMaxDepth = 64;  // of folders; deeper is a loop of links or of mounts

struct FolderScan {
  std::vector<std::string> images;  // relative to the folder
  size_t others = 0;                // files that are no images
  std::string other;                // the first of them by name
};

using FileId = std::pair<dev_t, ino_t>;

// Collects the images below root/below. Links are followed; a folder inside itself is passed over.
void scan_folder(const std::string& root, const std::string& below, std::vector<FileId>& parents,
                 FolderScan& scan) {
  const std::string path = join_path(root, below);
  struct stat info;
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(path.c_str()), ::closedir);
  if (!dir || ::fstat(::dirfd(dir.get()), &info) != 0) {
    throw Error::from_errno(path, "cannot read the folder");
  }
  const FileId id(info.st_dev, info.st_ino);
  if (std::find(parents.begin(), parents.end(), id) != parents.end()) return;
  if (parents.size() >= kMaxDepth) {
    throw Error(path, fmt::format("is more than {} folders deep", kMaxDepth));
  }
  parents.push_back(id);
  while (errno = 0, true) {
    const dirent* entry = ::readdir(dir.get());
    if (!entry && errno != 0) throw Error::from_errno(path, "cannot read the folder");
    if (!entry) break;
    if (entry->d_name[0] == '.') continue;
    const std::string name = below.empty() ? entry->d_name : below + "/" + entry->d_name;
    mode_t mode = entry->d_type == DT_DIR ? S_IFDIR : entry->d_type == DT_REG ? S_IFREG : 0;
    if (mode == 0 && ::stat(join_path(root, name).c_str(), &info) == 0)
      mode = info.st_mode & S_IFMT;
    if (mode == S_IFDIR) {
      scan_folder(root, name, parents, scan);
    } else if (mode == S_IFREG && has_image_ending(name)) {
      scan.images.push_back(name);
    } else {
      ++scan.others;
      if (mode == S_IFREG && (scan.other.empty() || name < scan.other)) scan.other = name;
    }
  }
  parents.pop_back();
}

// The class of an image is the first folder on its way.
std::string_view class_of(std::string_view image) { return image.substr(0, image.find('/')); }

void label_by_folder(const std::vector<std::string>& images, Dataset& dataset) {
  std::map<std::string_view, int> numbers;  // sorted as bytes, as ImageNet's are
  for (const std::string& image : images) {
    if (image.find('/') == image.npos) return;  // an image outside of the sub-folders: no classes
    numbers[class_of(image)] = 0;
  }
  for (auto& [name, number] : numbers) {
    number = static_cast<int>(dataset.classes.size());
    dataset.classes.push_back(as_key_text(name));
  }
  for (size_t i = 0; i < images.size(); ++i) {
    dataset.examples[i].label = numbers[class_of(images[i])];
  }
}

// What lies there instead of images may be worth a hint.
[[noreturn]] void refuse_folder(const std::string& path, const FolderScan& scan) {
  if (scan.others == 0) throw Error(path, "the folder is empty");
  std::string hint;
  try {
    if (!scan.other.empty()) {
      hint = hint_for(Format::png, detect_file(join_path(path, scan.other)));
    }
  } catch (const Error&) {
    // It cannot be read, and the folder is of no use anyhow.
  }
  throw Error(
      path,
      fmt::format("no PNG, JPEG, WebP or PPM image among the {} files in the folder", scan.others),
      hint);
}

}  // namespace

Dataset open_folder(const std::string& path) {
  FolderScan scan;
  std::vector<FileId> parents;
  scan_folder(path, "", parents, scan);
  if (scan.images.empty()) refuse_folder(path, scan);
  std::sort(scan.images.begin(), scan.images.end(), natural_less);
  Dataset dataset{path, {}, {}};
  dataset.examples.reserve(scan.images.size());
  for (const std::string& image : scan.images) {
    Example& example = dataset.examples.emplace_back();
    example.key = key_of_path(image);
    example.picture.path = join_path(path, image);
    if (example.key.empty() || example.key.size() > kMaxKey) {
      throw Error(example.picture.path, fmt::format("its name is longer than {} bytes", kMaxKey));
    }
  }
  label_by_folder(scan.images, dataset);
  check_keys(dataset.examples, "name them in a .jsonl list with a \"key\" each",
             [&](size_t i) { return dataset.examples[i].picture.path; });
  return dataset;
}

}  // namespace vq
