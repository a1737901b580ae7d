// Any bytes as one PNM file, and as a PPM stream; what a stream gave is written and read again.
#include <cstdlib>

#include "formats/error.h"
#include "formats/image.h"

namespace {

void read_stream(const vq::Bytes& bytes) {
  vq::Input input = vq::Input::memory(bytes, "input");
  vq::Image image, again;
  while (vq::read_ppm(input, image)) {
    vq::Bytes written;
    vq::Output output = vq::Output::memory(&written);
    vq::write_ppm(output, image);
    vq::Input back = vq::Input::memory(written, "again");
    if (!vq::read_ppm(back, again) || again.rgb != image.rgb) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const vq::Bytes bytes(data, data + size);
  try {
    read_stream(bytes);
  } catch (const vq::Error&) {
  }
  try {
    vq::decode_image(bytes, "input");
  } catch (const vq::Error&) {
  }
  return 0;
}
