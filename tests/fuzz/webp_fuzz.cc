// Any bytes behind a WebP's first ones, and any bytes as a stream of pictures.
#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "formats/error.h"
#include "formats/image_parts.h"
#include "formats/image_stream.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr std::string_view kStart = "RIFF\xff\xff\xff\x7fWEBP";
  vq::Bytes bytes(kStart.begin(), kStart.end());
  if (size >= 12 && std::equal(kStart.begin() + 8, kStart.end(), data + 8)) bytes.clear();
  bytes.insert(bytes.end(), data, data + size);
  try {
    const vq::Image image = vq::decode_image(bytes, "input");
    if (image.rgb.size() != size_t{3} * image.width * image.height) std::abort();
  } catch (const vq::Error&) {
  }
  try {
    vq::Input input = vq::Input::memory(vq::Bytes(data, data + size), "stream");
    size_t taken = 0;
    while (vq::take_picture(input, bytes)) taken += bytes.size();
    if (taken != size) std::abort();
  } catch (const vq::Error&) {
  }
  return 0;
}
