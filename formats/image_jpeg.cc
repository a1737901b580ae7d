// JPEG through libjpeg's interface, as in libjpeg-turbo.
//
// libjpeg reports errors by longjmp. Everything with a destructor lives in a JpegReader that the
// calling function owns, and the steps that run under setjmp have only plain locals.
#include <fmt/format.h>
#include <jerror.h>
#include <jpeglib.h>

#include <csetjmp>
#include <cstdio>
#include <cstring>

#include "formats/error.h"
#include "formats/image_parts.h"

namespace vq {
namespace {

// A progressive file may go over all its pixels again and again; usual encoders do so about ten
// times.
constexpr int kMaxScans = 100;

struct JpegReader {
  jpeg_decompress_struct jpeg{};
  jpeg_error_mgr errors{};
  jpeg_progress_mgr progress{};
  jmp_buf jump;
  int code = 0;  // of the error, J... in jerror.h
  char message[JMSG_LENGTH_MAX] = "";
  Image image;
  std::vector<uint8_t> row;  // of a CMYK picture

  ~JpegReader() { jpeg_destroy_decompress(&jpeg); }
};

JpegReader& reader_of(j_common_ptr jpeg) { return *static_cast<JpegReader*>(jpeg->client_data); }

void on_error(j_common_ptr jpeg) {
  JpegReader& reader = reader_of(jpeg);
  reader.code = jpeg->err->msg_code;
  jpeg->err->format_message(jpeg, reader.message);
  std::longjmp(reader.jump, 1);
}

// libjpeg warns of damage, fills in grey and goes on; for us pixels that were made up are an error.
// These warnings leave the pixels whole, and cameras give cause for them.
bool is_harmless(int code) {
  return code == JWRN_ADOBE_XFORM || code == JWRN_BOGUS_PROGRESSION ||
         code == JWRN_EXTRANEOUS_DATA || code == JWRN_JFIF_MAJOR || code == JWRN_NOT_SEQUENTIAL ||
         code == JWRN_TOO_MUCH_DATA;
}

void on_message(j_common_ptr jpeg, int level) {
  if (level < 0 && !is_harmless(jpeg->err->msg_code)) on_error(jpeg);
}

void on_progress(j_common_ptr jpeg) {
  if (reinterpret_cast<j_decompress_ptr>(jpeg)->input_scan_number <= kMaxScans) return;
  JpegReader& reader = reader_of(jpeg);
  std::snprintf(reader.message, sizeof reader.message, "more than %d scans", kMaxScans);
  std::longjmp(reader.jump, 1);
}

template <class Steps>
bool without_error(JpegReader& reader, Steps& steps) {
  if (setjmp(reader.jump)) return false;
  steps();
  return true;
}

template <class Steps>
void read_steps(JpegReader& reader, size_t size, const std::string& name, Steps steps) {
  if (without_error(reader, steps)) return;
  if (reader.code == JWRN_JPEG_EOF || reader.code == JERR_INPUT_EOF) {
    throw Error(name, fmt::format("the JPEG ends too early, after {} bytes", size));
  }
  throw Error(name, "cannot read this JPEG: " + as_clause(reader.message));
}

void start(JpegReader& r, std::span<const uint8_t> bytes) {
  r.jpeg.err = jpeg_std_error(&r.errors);
  r.errors.error_exit = on_error;
  r.errors.emit_message = on_message;
  r.jpeg.client_data = &r;
  jpeg_create_decompress(&r.jpeg);
  r.progress.progress_monitor = on_progress;
  r.jpeg.progress = &r.progress;
  jpeg_mem_src(&r.jpeg, bytes.data(), bytes.size());
  jpeg_save_markers(&r.jpeg, JPEG_APP0 + 1, 0xFFFF);  // EXIF
  jpeg_read_header(&r.jpeg, TRUE);
}

int saved_orientation(const JpegReader& r) {
  for (auto* marker = r.jpeg.marker_list; marker; marker = marker->next) {
    const std::span<const uint8_t> bytes(marker->data, marker->data_length);
    if (marker->marker == JPEG_APP0 + 1 && bytes.size() > 6 &&
        std::memcmp(bytes.data(), "Exif\0", 6) == 0) {
      return exif_orientation(bytes);
    }
  }
  return 1;
}

// Ink to light. Adobe's programs write CMYK upside down (255: no ink), and say that it was they.
void rgb_from_cmyk(const uint8_t* cmyk, uint8_t* rgb, int width, bool inverted) {
  const uint8_t flip = inverted ? 0 : 255;
  for (int x = 0; x < width; ++x, cmyk += 4, rgb += 3) {
    const int k = cmyk[3] ^ flip;
    for (int c = 0; c < 3; ++c) rgb[c] = static_cast<uint8_t>(((cmyk[c] ^ flip) * k + 127) / 255);
  }
}

void read_pixels(JpegReader& r) {
  const bool ink = r.jpeg.jpeg_color_space == JCS_CMYK || r.jpeg.jpeg_color_space == JCS_YCCK;
  r.jpeg.out_color_space = ink ? JCS_CMYK : JCS_RGB;
  jpeg_start_decompress(&r.jpeg);
  r.image.rgb.resize(size_t{3} * r.image.width * r.image.height);
  if (ink) r.row.resize(size_t{4} * r.image.width);
  while (r.jpeg.output_scanline < r.jpeg.output_height) {
    uint8_t* to = r.image.at(0, static_cast<int>(r.jpeg.output_scanline));
    JSAMPROW row = ink ? r.row.data() : to;
    jpeg_read_scanlines(&r.jpeg, &row, 1);
    if (ink) rgb_from_cmyk(row, to, r.image.width, r.jpeg.saw_Adobe_marker);
  }
  jpeg_finish_decompress(&r.jpeg);
}

// The integers of a TIFF structure, in its byte order.
struct TiffBytes {
  std::span<const uint8_t> bytes;
  bool big_endian;

  bool holds(uint64_t offset, uint64_t n) const {
    return offset <= bytes.size() && n <= bytes.size() - offset;
  }
  uint32_t u16(size_t at) const {
    return big_endian ? bytes[at] << 8 | bytes[at + 1] : bytes[at + 1] << 8 | bytes[at];
  }
  uint32_t u32(size_t at) const {
    return big_endian ? u16(at) << 16 | u16(at + 2) : u16(at + 2) << 16 | u16(at);
  }
};

}  // namespace

int exif_orientation(std::span<const uint8_t> app1) {
  constexpr size_t kHeader = 6;  // "Exif\0\0"
  return app1.size() < kHeader ? 1 : tiff_orientation(app1.subspan(kHeader));
}

int tiff_orientation(std::span<const uint8_t> exif) {
  constexpr size_t kEntry = 12, kTag = 0x0112, kShort = 3;
  if (exif.size() < 8) return 1;
  TiffBytes tiff{exif, exif[0] == 'M'};
  if (tiff.bytes[0] != tiff.bytes[1] || (tiff.bytes[0] != 'M' && tiff.bytes[0] != 'I')) return 1;
  const uint64_t directory = tiff.u32(4);
  if (tiff.u16(2) != 42 || !tiff.holds(directory, 2)) return 1;
  const uint32_t entries = tiff.u16(directory);
  for (uint32_t i = 0; i < entries; ++i) {
    const uint64_t entry = directory + 2 + kEntry * i;
    if (!tiff.holds(entry, kEntry)) return 1;
    if (tiff.u16(entry) != kTag) continue;
    const uint32_t value = tiff.u16(entry + 8);
    const bool valid = tiff.u16(entry + 2) == kShort && tiff.u32(entry + 4) == 1;
    return valid && value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

Image decode_jpeg(std::span<const uint8_t> bytes, const std::string& name) {
  JpegReader reader;
  JpegReader& r = reader;
  read_steps(r, bytes.size(), name, [&r, bytes] { start(r, bytes); });
  check_image_size(r.jpeg.image_width, r.jpeg.image_height, name);
  if (r.jpeg.jpeg_color_space == JCS_UNKNOWN) {
    throw Error(name, fmt::format("a JPEG with {} colour components cannot be read",
                                  r.jpeg.num_components));
  }
  r.image.width = static_cast<int>(r.jpeg.image_width);
  r.image.height = static_cast<int>(r.jpeg.image_height);
  const int orientation = saved_orientation(r);
  read_steps(r, bytes.size(), name, [&r] { read_pixels(r); });
  return oriented(std::move(r.image), orientation);
}

}  // namespace vq
