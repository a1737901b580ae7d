// Any bytes as a list of images: unique keys and labels within the classes, or a vq::Error.
#include <unistd.h>

#include <cstdlib>
#include <set>
#include <string>

#include "formats/dataset.h"
#include "formats/error.h"

namespace {

// A folder with one file in it, called "a", for lists that go through.
const std::string& folder() {
  static const std::string path = [] {
    std::string name = "/tmp/vq-jsonl-fuzz-XXXXXX";
    if (!::mkdtemp(name.data())) std::abort();
    vq::write_file(name + "/a", {}, true);
    return name;
  }();
  return path;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  vq::Input input = vq::Input::memory(vq::Bytes(data, data + size), "list");
  try {
    const vq::Dataset dataset = vq::read_list(input, folder());
    std::set<std::string> keys;
    for (const vq::Example& example : dataset.examples) {
      if (example.key.empty() || !keys.insert(example.key).second) std::abort();
      const bool named = !dataset.classes.empty();
      if (named &&
          (example.label < 0 || example.label >= static_cast<int>(dataset.classes.size()))) {
        std::abort();
      }
    }
  } catch (const vq::Error&) {
  }
  return 0;
}
