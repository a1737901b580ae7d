// Makes PNG and JPEG files of every kind for image_test.cc, through the libraries' own writers.
#pragma once

#include <jpeglib.h>
#include <png.h>

#include <cstdio>
#include <cstdlib>
#include <functional>

#include "formats/bytes.h"

namespace vq {

struct PngKind {
  int width, height, depth, color;
  int interlace = PNG_INTERLACE_NONE;
};

// `rows`: the bytes of all rows as PNG packs them; `set` may add PLTE, tRNS and others.
inline Bytes make_png(const PngKind& kind, const Bytes& rows,
                      const std::function<void(png_structp, png_infop)>& set = {}) {
  Bytes out;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  const auto write = [](png_structp p, png_bytep bytes, size_t n) {
    auto* to = static_cast<Bytes*>(png_get_io_ptr(p));
    to->insert(to->end(), bytes, bytes + n);
  };
  png_set_write_fn(png, &out, write, [](png_structp) {});
  png_set_IHDR(png, info, kind.width, kind.height, kind.depth, kind.color, kind.interlace,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  if (set) set(png, info);
  png_write_info(png, info);
  std::vector<png_bytep> pointers;
  const size_t row_bytes = png_get_rowbytes(png, info);
  for (int y = 0; y < kind.height; ++y) {
    pointers.push_back(const_cast<png_bytep>(rows.data() + y * row_bytes));
  }
  png_write_image(png, pointers.data());
  png_write_end(png, info);
  png_destroy_write_struct(&png, &info);
  return out;
}

struct JpegKind {
  int width, height, components;
  J_COLOR_SPACE in;      // of the samples given
  J_COLOR_SPACE stored;  // in the file
  bool adobe = false;    // write Adobe's marker
  bool progressive = false;
  Bytes exif = {};  // content of APP1; none when empty
};

// `samples`: components bytes a pixel, row by row.
inline Bytes make_jpeg(const JpegKind& kind, const Bytes& samples) {
  jpeg_compress_struct jpeg{};
  jpeg_error_mgr errors{};
  jpeg.err = jpeg_std_error(&errors);
  jpeg_create_compress(&jpeg);
  unsigned char* memory = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&jpeg, &memory, &size);
  jpeg.image_width = kind.width, jpeg.image_height = kind.height;
  jpeg.input_components = kind.components, jpeg.in_color_space = kind.in;
  jpeg_set_defaults(&jpeg);
  jpeg_set_colorspace(&jpeg, kind.stored);
  for (int i = 0; i < jpeg.num_components; ++i) {
    jpeg.comp_info[i].h_samp_factor = jpeg.comp_info[i].v_samp_factor = 1;
  }
  jpeg_set_quality(&jpeg, 100, TRUE);
  jpeg.write_Adobe_marker = kind.adobe;
  if (kind.progressive) jpeg_simple_progression(&jpeg);
  jpeg_start_compress(&jpeg, TRUE);
  if (!kind.exif.empty()) {
    jpeg_write_marker(&jpeg, JPEG_APP0 + 1, kind.exif.data(), kind.exif.size());
  }
  while (jpeg.next_scanline < jpeg.image_height) {
    auto* row = const_cast<JSAMPROW>(samples.data() +
                                     size_t{1} * jpeg.next_scanline * kind.width * kind.components);
    jpeg_write_scanlines(&jpeg, &row, 1);
  }
  jpeg_finish_compress(&jpeg);
  jpeg_destroy_compress(&jpeg);
  Bytes out(memory, memory + size);
  std::free(memory);
  return out;
}

// An APP1 marker whose first directory holds an orientation.
inline Bytes make_exif(int orientation, bool big_endian) {
  Bytes out = {'E', 'x', 'i', 'f', 0, 0};
  const auto u16 = [&](int v) {
    out.push_back(static_cast<uint8_t>(big_endian ? v >> 8 : v));
    out.push_back(static_cast<uint8_t>(big_endian ? v : v >> 8));
  };
  const auto u32 = [&](int v) {
    u16(big_endian ? v >> 16 : v);
    u16(big_endian ? v : v >> 16);
  };
  out.insert(out.end(), 2, big_endian ? 'M' : 'I');
  u16(42), u32(8);
  u16(2);  // two entries: ImageWidth, Orientation
  u16(0x0100), u16(4), u32(1), u32(7);
  u16(0x0112), u16(3), u32(1), u16(orientation), u16(0);
  u32(0);
  return out;
}

}  // namespace vq
