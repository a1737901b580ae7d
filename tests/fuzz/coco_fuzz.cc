// Any bytes as captions of COCO: images that have a key and a caption each, or a vq::Error.
#include <cstdlib>

#include "formats/dataset_parts.h"
#include "formats/error.h"
#include "tests/fuzz/one_file_folder.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  vq::Input input = vq::Input::memory(vq::Bytes(data, data + size), "captions");
  try {
    const vq::Dataset dataset = vq::read_coco(input, {vq::fuzz::one_file_folder()});
    if (dataset.examples.empty()) std::abort();
    for (const vq::Example& example : dataset.examples) {
      if (example.key.empty() || example.captions.empty()) std::abort();
    }
  } catch (const vq::Error&) {
  }
  return 0;
}
