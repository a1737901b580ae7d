#include "formats/image.h"

#include <fmt/format.h>

#include <array>
#include <cctype>
#include <new>
#include <string_view>

#include "formats/error.h"
#include "formats/image_parts.h"

namespace vq {
namespace {

constexpr uint64_t kMaxSide = 32768;
constexpr uint64_t kMaxPixels = uint64_t{1} << 26;

// Formats that people have in the same folders and that we do not read: worth a word of help.
struct OtherFormat {
  size_t offset;
  std::string_view magic;
  const char* name;
};
constexpr std::array<OtherFormat, 10> kOtherFormats = {{
    {0, "GIF8", "a GIF"},
    {0, "II*\0", "a TIFF"},
    {0, std::string_view("MM\0*", 4), "a TIFF"},
    {4, "ftypavif", "an AVIF"},
    {4, "ftypavis", "an AVIF"},
    {4, "ftyphei", "a HEIC"},
    {4, "ftypmif1", "a HEIC"},
    {4, "jP  ", "a JPEG 2000"},
    {4, "JXL ", "a JPEG XL"},
    {0, "BM", "a BMP"},
}};

[[noreturn]] void refuse(std::span<const uint8_t> bytes, const std::string& name) {
  if (bytes.empty()) throw Error(name, "is empty, not an image");
  for (const OtherFormat& other : kOtherFormats) {
    if (bytes.size() > other.offset &&
        as_text(bytes.subspan(other.offset)).starts_with(other.magic)) {
      throw Error(name,
                  fmt::format("is {} image; only PNG, JPEG, WebP and PPM can be read", other.name),
                  "convert it first");
    }
  }
  throw Error(name, "is not a PNG, JPEG, WebP or PPM image");
}

Image decode(std::span<const uint8_t> bytes, const std::string& name) {
  const std::string_view text = as_text(bytes);
  if (text.starts_with("\x89PNG\r\n\x1a\n")) return decode_png(bytes, name);
  if (text.starts_with("\xff\xd8\xff")) return decode_jpeg(bytes, name);
  if (text.size() > 2 && text[0] == 'P' && text[1] >= '1' && text[1] <= '7' &&
      (std::isspace(static_cast<unsigned char>(text[2])) || text[2] == '#')) {
    return decode_pnm(bytes, name);
  }
  if (text.size() > 12 && text.starts_with("RIFF") && text.substr(8, 4) == "WEBP") {
    return decode_webp(bytes, name);
  }
  refuse(bytes, name);
}

}  // namespace

void check_image_size(uint64_t width, uint64_t height, const std::string& name) {
  if (width == 0 || height == 0) {
    throw Error(name, fmt::format("has no pixels ({} x {})", width, height));
  }
  if (width > kMaxSide || height > kMaxSide) {
    throw Error(name,
                fmt::format("is {} x {} pixels; the limit is {} a side", width, height, kMaxSide));
  }
  if (width * height > kMaxPixels) {
    throw Error(name, fmt::format("is {} x {} = {} pixels; the limit is {}", width, height,
                                  width * height, kMaxPixels));
  }
}

std::string as_clause(std::string message) {
  while (!message.empty() && (message.back() == '.' || message.back() == '\n')) message.pop_back();
  // "Read error" but not "IDAT: CRC error".
  if (message.size() > 1 && std::isupper(static_cast<unsigned char>(message[0])) &&
      std::islower(static_cast<unsigned char>(message[1]))) {
    message[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(message[0])));
  }
  return message;
}

Image oriented(Image image, int orientation) {
  if (orientation <= 1 || orientation > 8) return image;
  const bool swaps = orientation >= 5;  // rows become columns
  // In which direction the stored picture is walked while the shown one is filled row by row.
  const bool from_right =
      orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool from_bottom =
      orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  Image shown{swaps ? image.height : image.width, swaps ? image.width : image.height, {}};
  shown.rgb.resize(image.rgb.size());
  uint8_t* to = shown.rgb.data();
  for (int y = 0; y < shown.height; ++y) {
    for (int x = 0; x < shown.width; ++x, to += 3) {
      const int column = swaps ? y : x, row = swaps ? x : y;
      const uint8_t* from = image.at(from_right ? image.width - 1 - column : column,
                                     from_bottom ? image.height - 1 - row : row);
      to[0] = from[0], to[1] = from[1], to[2] = from[2];
    }
  }
  return shown;
}

void lay_over_white(Image& image) {
  const size_t pixels = image.rgb.size() / 4;
  uint8_t* p = image.rgb.data();
  for (size_t i = 0; i < pixels; ++i) {
    const uint32_t alpha = p[4 * i + 3];
    for (size_t c = 0; c < 3; ++c) {
      p[3 * i + c] = static_cast<uint8_t>((p[4 * i + c] * alpha + 255 * (255 - alpha) + 127) / 255);
    }
  }
  image.rgb.resize(pixels * 3);
}

Image decode_image(std::span<const uint8_t> bytes, const std::string& name) {
  try {
    return decode(bytes, name);
  } catch (const std::bad_alloc&) {
    throw Error(name, "not enough memory for its pixels");
  }
}

Image read_image(const std::string& path) {
  const Bytes bytes = read_file(path, kMaxPictureFile);
  return decode_image(bytes, path);
}

}  // namespace vq
