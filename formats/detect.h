// First bytes -> which format; for vq-info and for the hints after "this is not a ...".
#pragma once

#include <span>
#include <string>

namespace vq {

enum class Format {
  empty,
  token_grid,
  token_text,
  safetensors,
  png,
  jpeg,
  webp,
  ppm,
  zstd,
  zip,
  torch,
  torch_legacy,
  tar,
  gzip,
  json,
  text,
  unknown
};

// Looks at up to the first 64 KiB of a file. A zstd frame is opened as far as its first line, so a
// token grid is told from other zstd data.
Format detect(std::span<const uint8_t> first_bytes);
Format detect_file(const std::string& path);

// Is it one of the kinds of pictures that image.h reads?
bool is_image(Format format);

// "a PNG image", "a token-grid file", for messages.
const char* describe(Format format);

// The hint for somebody who gave `found` where `wanted` was needed; empty when there is none:
// wanted token_grid, found png -> "to turn images into tokens, use vq-encode".
std::string hint_for(Format wanted, Format found);

}  // namespace vq
