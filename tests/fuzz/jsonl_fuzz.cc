// Any bytes as a list of images: unique keys and labels within the classes, or a vq::Error.
#include <cstdlib>
#include <set>
#include <string>

#include "formats/dataset.h"
#include "formats/error.h"
#include "tests/fuzz/one_file_folder.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  vq::Input input = vq::Input::memory(vq::Bytes(data, data + size), "list");
  try {
    const vq::Dataset dataset = vq::read_list(input, vq::fuzz::one_file_folder());
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
