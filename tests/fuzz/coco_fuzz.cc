// Any bytes as captions of COCO: images that have a key and a caption each, or a vq::Error.
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "formats/dataset_parts.h"
#include "formats/error.h"

namespace {

// A folder with one file in it, called "a", for sets that go through.
const std::string& folder() {
  static const std::string path = [] {
    std::string name = "/tmp/vq-coco-fuzz-XXXXXX";
    if (!::mkdtemp(name.data())) std::abort();
    vq::write_file(name + "/a", {}, true);
    return name;
  }();
  return path;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  vq::Input input = vq::Input::memory(vq::Bytes(data, data + size), "captions");
  try {
    const vq::Dataset dataset = vq::read_coco(input, {folder()});
    if (dataset.examples.empty()) std::abort();
    for (const vq::Example& example : dataset.examples) {
      if (example.key.empty() || example.captions.empty()) std::abort();
    }
  } catch (const vq::Error&) {
  }
  return 0;
}
