// Any bytes after a JPEG's first ones, and any bytes as its EXIF block.
#include <algorithm>
#include <cstdlib>

#include "formats/error.h"
#include "formats/image_parts.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  vq::Bytes bytes = {0xFF, 0xD8, 0xFF};
  if (size >= 3 && std::equal(bytes.begin(), bytes.end(), data)) bytes.clear();
  bytes.insert(bytes.end(), data, data + size);
  const int orientation = vq::exif_orientation(bytes);
  if (orientation < 1 || orientation > 8) std::abort();
  try {
    const vq::Image image = vq::decode_image(bytes, "input");
    if (image.rgb.size() != size_t{3} * image.width * image.height) std::abort();
  } catch (const vq::Error&) {
  }
  return 0;
}
