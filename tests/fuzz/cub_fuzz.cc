// Any bytes as the tables and one text of CUB-200-2011, separated by zero bytes: images.txt,
// image_class_labels.txt, classes.txt, train_test_split.txt, text/c/a.txt; what is left is
// test/filenames.pickle. An empty table is not there. Images with unique keys and labels within the
// classes, or a vq::Error. The pictures c/a.jpg, c/b.jpg and 1.c/a.jpg are there.
#include <sys/stat.h>
#include <unistd.h>

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
    for (const char* name :
         {"/images", "/images/c", "/images/1.c", "/text", "/text/c", "/text/1.c", "/test"}) {
      if (::mkdir((folder + name).c_str(), 0700) != 0) std::abort();
    }
    vq::write_file(folder + "/images/c/a.jpg", {}, true);
    vq::write_file(folder + "/images/c/b.jpg", {}, true);
    vq::write_file(folder + "/images/1.c/a.jpg", {}, true);
    vq::write_file(folder + "/text/1.c/a.txt", {}, true);
    return folder;
  }();
  return path;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string& folder = bird_folder();
  std::span<const uint8_t> rest(data, size);
  const auto put = [&](const std::string& path, std::span<const uint8_t> bytes) {
    if (bytes.empty()) {
      ::unlink(path.c_str());
    } else {
      vq::write_file(path, bytes, true);
    }
  };
  for (const char* name : {"/images.txt", "/image_class_labels.txt", "/classes.txt",
                           "/train_test_split.txt", "/text/c/a.txt"}) {
    const auto end = std::find(rest.begin(), rest.end(), uint8_t{0}) - rest.begin();
    put(folder + name, rest.first(end));
    rest = rest.subspan(std::min<size_t>(end + 1, rest.size()));
  }
  put(folder + "/test/filenames.pickle", rest);
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
