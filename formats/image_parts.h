// What the readers of one picture format share. Inside formats/ only; users include image.h.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "formats/image.h"

namespace vq {

// Throws vq::Error unless the picture is within the limits that image.h declares. To be called with
// what the file's header says, before memory is taken for the pixels.
void check_image_size(uint64_t width, uint64_t height, const std::string& name);

// The same reader for each format; the caller has seen the first bytes.
Image decode_png(std::span<const uint8_t> bytes, const std::string& name);
Image decode_jpeg(std::span<const uint8_t> bytes, const std::string& name);
Image decode_pnm(std::span<const uint8_t> bytes, const std::string& name);
Image decode_webp(std::span<const uint8_t> bytes, const std::string& name);

// The header of a binary PPM or PGM, as it stands in a stream; returns how many bytes of pixels
// follow.
uint64_t take_pnm_header(Input& input, Bytes& bytes, const std::string& where);

// The EXIF orientation (1..8) in the bytes of an APP1 marker, and in those behind its first six,
// which PNG and WebP hold; 1 when it says none or is broken.
int exif_orientation(std::span<const uint8_t> app1);
int tiff_orientation(std::span<const uint8_t> exif);

// The picture as it is meant to be seen: orientation 1..8 of EXIF applied.
Image oriented(Image image, int orientation);

// RGBA (four bytes a pixel in `rgb`) to RGB in place: what is transparent shows white.
void lay_over_white(Image& image);

// A message of a C library as the tail of one of our sentences: no capital, no full stop.
std::string as_clause(std::string message);

}  // namespace vq
