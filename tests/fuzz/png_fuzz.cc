// Any bytes after a PNG's first ones: a picture that survives its own round trip, or a vq::Error.
#include <algorithm>
#include <cstdlib>

#include "formats/error.h"
#include "formats/image.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  vq::Bytes bytes = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
  const bool has_signature = size >= 8 && std::equal(bytes.begin(), bytes.end(), data);
  if (has_signature) bytes.clear();
  bytes.insert(bytes.end(), data, data + size);
  try {
    const vq::Image image = vq::decode_image(bytes, "input");
    if (image.rgb.size() > 1 << 20) return 0;  // the round trip would only cost time
    if (vq::decode_image(vq::encode_png(image), "again").rgb != image.rgb) std::abort();
  } catch (const vq::Error&) {
  }
  return 0;
}
