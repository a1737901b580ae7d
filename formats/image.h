// Pictures as 8-bit RGB, and the formats of files that we read (PNG, JPEG, WebP, PPM) and write
// (PNG, PPM).
//
// Reading gives RGB whatever the file holds: palette, grey, 16-bit and CMYK are converted,
// transparency is laid over white, EXIF orientation is applied; gamma and colour profiles are not.
// Of a moving picture the first frame is taken. At most 2^26 pixels and 32768 a side (a declared
// limit: checked from the file's header before memory is taken). A damaged picture is an error,
// never grey pixels.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "formats/bytes.h"

namespace vq {

// The largest picture without any compression (16-bit RGBA) takes half of this.
inline constexpr uint64_t kMaxPictureFile = uint64_t{1} << 30;

struct Image {
  int width = 0, height = 0;
  std::vector<uint8_t> rgb;  // height * width * 3, row by row from the top left

  uint8_t* at(int x, int y) { return rgb.data() + 3 * (static_cast<size_t>(y) * width + x); }
  const uint8_t* at(int x, int y) const {
    return rgb.data() + 3 * (static_cast<size_t>(y) * width + x);
  }
};

// By content, not by name: PNG, JPEG, WebP, or the first picture of a PPM (P6, and grey P5; any
// maxval). Throws vq::Error at `name`.
Image decode_image(std::span<const uint8_t> bytes, const std::string& name);
Image read_image(const std::string& path);

// Text chunks (keyword, UTF-8 text) of a PNG: how vq-decode says how the picture was made.
using PngText = std::vector<std::pair<std::string, std::string>>;

Bytes encode_png(const Image& image, const PngText& text = {});
// Deterministic for one libpng and zlib. An existing file needs force.
void write_png(const std::string& path, const Image& image, const PngText& text = {},
               bool force = false);
PngText read_png_text(const std::string& path);

// A PPM stream (ppm(5)): pictures of binary PPM one after the other, nothing between them.
void write_ppm(Output& output, const Image& image);
// The next picture; false at the end of the stream. Throws on anything but P6 with maxval 255.
bool read_ppm(Input& input, Image& image);

}  // namespace vq
