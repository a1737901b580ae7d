// WebP through libwebp; of a moving picture the first frame, as it is shown.
#include <fmt/format.h>
#include <webp/decode.h>
#include <webp/demux.h>

#include <cstring>
#include <memory>

#include "formats/error.h"
#include "formats/image_parts.h"

namespace vq {
namespace {

constexpr size_t kFileHeader = 12, kChunkHeader = 8;  // "RIFF" size "WEBP"; name size

struct FreeAnimation {
  void operator()(WebPAnimDecoder* decoder) const { WebPAnimDecoderDelete(decoder); }
};

const char* reason(VP8StatusCode status) {
  switch (status) {
    case VP8_STATUS_OUT_OF_MEMORY:
      return "not enough memory for its pixels";
    case VP8_STATUS_NOT_ENOUGH_DATA:
      return "it ends too early";
    case VP8_STATUS_UNSUPPORTED_FEATURE:
      return "it uses what libwebp does not know";
    default:
      return "its data are damaged";
  }
}

// The content of the chunk "EXIF", which stands behind the pixels; empty where there is none.
std::span<const uint8_t> exif_chunk(std::span<const uint8_t> bytes) {
  size_t at = kFileHeader;
  while (bytes.size() - at >= kChunkHeader) {
    const uint64_t size = load_u32(bytes.data() + at + 4);
    const size_t begin = at + kChunkHeader;
    if (size > bytes.size() - begin) break;
    if (std::memcmp(bytes.data() + at, "EXIF", 4) == 0) return bytes.subspan(begin, size);
    at = begin + size + (size & 1);  // padded to an even size
    if (at > bytes.size()) break;
  }
  return {};
}

// Most writers leave out the "Exif\0\0" that a JPEG has in front.
int webp_orientation(std::span<const uint8_t> bytes) {
  const auto exif = exif_chunk(bytes);
  const bool named = exif.size() > 6 && std::memcmp(exif.data(), "Exif\0", 6) == 0;
  return named ? exif_orientation(exif) : tiff_orientation(exif);
}

void read_still(std::span<const uint8_t> bytes, bool alpha, Image& image, const std::string& name) {
  const int channels = alpha ? 4 : 3;
  const int stride = channels * image.width;
  image.rgb.resize(size_t{1} * stride * image.height);
  uint8_t* const to = image.rgb.data();
  const auto* const done =
      alpha ? WebPDecodeRGBAInto(bytes.data(), bytes.size(), to, image.rgb.size(), stride)
            : WebPDecodeRGBInto(bytes.data(), bytes.size(), to, image.rgb.size(), stride);
  if (!done) throw Error(name, "cannot read this WebP: its data are damaged or cut off");
}

void read_first_frame(std::span<const uint8_t> bytes, Image& image, const std::string& name) {
  const WebPData data = {bytes.data(), bytes.size()};
  WebPAnimDecoderOptions options;
  WebPAnimDecoderOptionsInit(&options);
  options.color_mode = MODE_RGBA;
  const std::unique_ptr<WebPAnimDecoder, FreeAnimation> decoder(
      WebPAnimDecoderNew(&data, &options));
  uint8_t* frame = nullptr;
  int time = 0;
  if (!decoder || !WebPAnimDecoderGetNext(decoder.get(), &frame, &time)) {
    throw Error(name, "cannot read this WebP: its first frame is damaged or cut off");
  }
  image.rgb.assign(frame, frame + size_t{4} * image.width * image.height);
}

}  // namespace

Image decode_webp(std::span<const uint8_t> bytes, const std::string& name) {
  WebPBitstreamFeatures features;
  const VP8StatusCode status = WebPGetFeatures(bytes.data(), bytes.size(), &features);
  if (status != VP8_STATUS_OK) {
    throw Error(name, fmt::format("cannot read this WebP: {}", reason(status)));
  }
  check_image_size(features.width, features.height, name);
  Image image{features.width, features.height, {}};
  if (features.has_animation) {
    read_first_frame(bytes, image, name);
  } else {
    read_still(bytes, features.has_alpha, image, name);
  }
  if (features.has_animation || features.has_alpha) lay_over_white(image);
  return oriented(std::move(image), webp_orientation(bytes));
}

}  // namespace vq
