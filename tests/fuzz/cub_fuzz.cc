// Any bytes as the tables and one text of CUB-200-2011, separated by zero bytes: images.txt,
// image_class_labels.txt, classes.txt, train_test_split.txt, text/c/a.txt. Images with unique keys
// and labels within the classes, or a vq::Error. The pictures c/a.jpg and c/b.jpg are there.
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <set>
#include <string>

#include "formats/dataset_parts.h"
#include "formats/error.h"
#include "tests/fuzz/one_file_folder.h"

namespace {

const std::string& bird_folder() {
  static const std::string path = [] {
    const std::string folder = vq::fuzz::one_file_folder();
    for (const char* name : {"/images", "/images/c", "/text", "/text/c"}) {
      if (::mkdir((folder + name).c_str(), 0700) != 0) std::abort();
    }
    vq::write_file(folder + "/images/c/a.jpg", {}, true);
    vq::write_file(folder + "/images/c/b.jpg", {}, true);
    return folder;
  }();
  return path;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string& folder = bird_folder();
  std::span<const uint8_t> rest(data, size);
  for (const char* name : {"/images.txt", "/image_class_labels.txt", "/classes.txt",
                           "/train_test_split.txt", "/text/c/a.txt"}) {
    const auto end = std::find(rest.begin(), rest.end(), uint8_t{0}) - rest.begin();
    vq::write_file(folder + name, rest.first(end), true);
    rest = rest.subspan(std::min<size_t>(end + 1, rest.size()));
  }
  for (const vq::DatasetSplit split : {vq::DatasetSplit::all, vq::DatasetSplit::test}) {
    try {
      const vq::Dataset dataset = vq::open_cub(folder, split);
      std::set<std::string> keys;
      for (const vq::Example& example : dataset.examples) {
        if (example.key.empty() || !keys.insert(example.key).second) std::abort();
        if (example.label >= static_cast<int>(dataset.classes.size())) std::abort();
      }
    } catch (const vq::Error&) {
    }
  }
  return 0;
}
