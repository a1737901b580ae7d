#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "formats/error.h"
#include "formats/image_parts.h"

namespace vq {
namespace {

// Memory for a picture from a stream is taken in steps of this, so that a lying header costs
// little.
constexpr size_t kStep = size_t{16} << 20;

struct PnmHeader {
  char kind = 0;  // the digit after P
  uint32_t width = 0, height = 0, maxval = 0;
};

// The next byte of a header, or -1 at the end.
using NextByte = std::function<int()>;

bool is_space(int c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// A decimal number after white space and comments; takes the one byte that ends it, too.
uint32_t header_number(const NextByte& next, const char* what, const std::string& where) {
  int c = next();
  while (is_space(c) || c == '#') {
    if (c == '#') {
      while (c != '\n' && c != '\r' && c != -1) c = next();
    } else {
      c = next();
    }
  }
  if (c == -1) throw Error(where, "the PPM header ends too early");
  uint64_t value = 0;
  bool any = false;
  for (; c >= '0' && c <= '9'; c = next(), any = true) {
    value = std::min<uint64_t>(value * 10 + static_cast<uint64_t>(c - '0'), UINT32_MAX);
  }
  if (c == -1 && any) throw Error(where, "the PPM header ends too early");
  if (!any || !is_space(c)) {
    throw Error(where, fmt::format("the {} in the PPM header is not a number", what));
  }
  return static_cast<uint32_t>(value);
}

PnmHeader read_pnm_header(const NextByte& next, const std::string& where) {
  PnmHeader header;
  const int p = next(), kind = next();
  if (p != 'P' || kind < '1' || kind > '7') throw Error(where, "not a PPM picture");
  if (kind != '5' && kind != '6') {
    throw Error(where, fmt::format("a P{} picture; only binary PPM (P6) and PGM (P5) can be read",
                                   static_cast<char>(kind)));
  }
  header.kind = static_cast<char>(kind);
  header.width = header_number(next, "width", where);
  header.height = header_number(next, "height", where);
  header.maxval = header_number(next, "maxval", where);
  if (header.maxval == 0 || header.maxval > 65535) {
    throw Error(where,
                fmt::format("maxval {} in the PPM header is outside 1..65535", header.maxval));
  }
  check_image_size(header.width, header.height, where);
  return header;
}

uint64_t pixel_bytes(const PnmHeader& header) {
  return uint64_t{header.width} * header.height * (header.kind == '6' ? 3 : 1) *
         (header.maxval > 255 ? 2 : 1);
}

Error too_short(const std::string& where, uint64_t have, uint64_t want) {
  return Error(where, fmt::format("the picture ends after {} of {} bytes of pixels", have, want));
}

// Samples of any depth to 8 bits, rounded; one or three a pixel to three.
void spread_samples(std::span<const uint8_t> samples, const PnmHeader& header, Image& image) {
  const bool wide = header.maxval > 255;
  const size_t repeat = header.kind == '5' ? 3 : 1;
  size_t to = 0;
  for (size_t i = 0; i < samples.size(); i += wide ? 2 : 1) {
    uint32_t value = wide ? samples[i] * 256u + samples[i + 1] : samples[i];
    value = std::min(value, header.maxval);
    const auto byte = static_cast<uint8_t>((value * 255 + header.maxval / 2) / header.maxval);
    for (size_t r = 0; r < repeat; ++r) image.rgb[to++] = byte;
  }
}

}  // namespace

uint64_t take_pnm_header(Input& input, Bytes& bytes, const std::string& where) {
  const NextByte next = [&] {
    uint8_t byte = 0;
    if (input.read(&byte, 1) != 1) return -1;
    bytes.push_back(byte);
    return int{byte};
  };
  return pixel_bytes(read_pnm_header(next, where));
}

Image decode_pnm(std::span<const uint8_t> bytes, const std::string& name) {
  size_t offset = 0;
  const NextByte next = [&] { return offset < bytes.size() ? int{bytes[offset++]} : -1; };
  const PnmHeader header = read_pnm_header(next, name);
  const size_t pixels = size_t{header.width} * header.height;
  const uint64_t want = pixel_bytes(header);
  if (bytes.size() - offset < want) throw too_short(name, bytes.size() - offset, want);

  Image image{static_cast<int>(header.width), static_cast<int>(header.height), {}};
  const auto samples = bytes.subspan(offset, want);
  if (header.kind == '6' && header.maxval == 255) {
    image.rgb.assign(samples.begin(), samples.end());
  } else {
    image.rgb.resize(pixels * 3);
    spread_samples(samples, header, image);
  }
  return image;
}

void write_ppm(Output& output, const Image& image) {
  output.write(fmt::format("P6\n{} {}\n255\n", image.width, image.height));
  output.write(std::span<const uint8_t>(image.rgb));
}

bool read_ppm(Input& input, Image& image) {
  if (input.peek(1).empty()) return false;
  const std::string where =
      input.offset() == 0 ? input.name()
                          : fmt::format("{}: picture at byte {}", input.name(), input.offset());
  const NextByte next = [&] {
    uint8_t byte = 0;
    return input.read(&byte, 1) == 1 ? int{byte} : -1;
  };
  const PnmHeader header = read_pnm_header(next, where);
  if (header.kind != '6' || header.maxval != 255) {
    throw Error(where,
                fmt::format("a P{} picture with maxval {}; a PPM stream is P6 with maxval 255",
                            header.kind, header.maxval));
  }
  const size_t want = size_t{header.width} * header.height * 3;
  image.width = static_cast<int>(header.width);
  image.height = static_cast<int>(header.height);
  image.rgb.resize(std::min(want, std::max(image.rgb.capacity(), kStep)));
  for (size_t have = 0; have < want;) {
    if (have == image.rgb.size()) image.rgb.resize(std::min(want, have + kStep));
    const size_t got = input.read(image.rgb.data() + have, image.rgb.size() - have);
    if (got == 0) throw too_short(where, have, want);
    have += got;
  }
  return true;
}

}  // namespace vq
