// PNG through libpng's full interface.
//
// libpng reports errors by longjmp. Everything with a destructor therefore lives in a PngReader or
// PngWriter that the calling function owns, and the steps that run under setjmp have only plain
// locals.
#include <fmt/format.h>
#include <png.h>

#include <csetjmp>
#include <cstring>

#include "formats/error.h"
#include "formats/image_parts.h"
#include "formats/utf8.h"

namespace vq {
namespace {

// deflate makes at most 1032 bytes from one, so a header that promises more is a lie.
constexpr uint64_t kMostInflation = 1032;

struct PngMessage {
  char text[200] = "";
};

void on_error(png_structp png, png_const_charp message) {
  auto* out = static_cast<PngMessage*>(png_get_error_ptr(png));
  std::strncpy(out->text, message, sizeof out->text - 1);
  png_longjmp(png, 1);
}

void on_warning(png_structp, png_const_charp) {}

struct PngReader {
  std::span<const uint8_t> bytes;
  size_t offset = 0;
  bool too_short = false;
  PngMessage message;
  png_structp png = nullptr;
  png_infop info = nullptr;
  Image image;
  int channels = 0;
  std::vector<png_bytep> rows;

  explicit PngReader(std::span<const uint8_t> from) : bytes(from) {
    png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &message, on_error, on_warning);
    if (png) info = png_create_info_struct(png);
    if (!info) {
      png_destroy_read_struct(&png, nullptr, nullptr);
      throw std::bad_alloc();
    }
  }
  ~PngReader() { png_destroy_read_struct(&png, &info, nullptr); }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;
};

void on_read(png_structp png, png_bytep to, size_t n) {
  auto* reader = static_cast<PngReader*>(png_get_io_ptr(png));
  if (reader->bytes.size() - reader->offset < n) {
    reader->too_short = true;
    png_error(png, "the file ends too early");
  }
  std::memcpy(to, reader->bytes.data() + reader->offset, n);
  reader->offset += n;
}

// Runs the steps; an error of libpng becomes vq::Error once its frames are gone.
template <class Steps>
bool without_error(png_structp png, Steps& steps) {
  if (setjmp(png_jmpbuf(png))) return false;
  steps();
  return true;
}

template <class Steps>
void read_steps(PngReader& reader, const std::string& name, Steps steps) {
  if (without_error(reader.png, steps)) return;
  if (reader.too_short) {
    throw Error(name, fmt::format("the PNG ends too early, after {} bytes", reader.bytes.size()));
  }
  throw Error(name, "cannot read this PNG: " + as_clause(reader.message.text));
}

void start(PngReader& r) {
  png_set_read_fn(r.png, &r, on_read);
  // Damage anywhere is damage; a transparency chunk dropped quietly would change pixels.
  png_set_crc_action(r.png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
  // Our own limits say more than libpng's.
  png_set_user_limits(r.png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
}

// Whatever the file holds becomes 8-bit RGB, or RGBA where it has any transparency.
void ask_for_rgb(PngReader& r) {
  const int type = png_get_color_type(r.png, r.info);
  if (png_get_bit_depth(r.png, r.info) == 16) png_set_scale_16(r.png);
  png_set_expand(r.png);  // palette, grey of 1, 2 or 4 bits, tRNS
  if (type == PNG_COLOR_TYPE_GRAY || type == PNG_COLOR_TYPE_GRAY_ALPHA) png_set_gray_to_rgb(r.png);
  png_set_interlace_handling(r.png);
  png_read_update_info(r.png, r.info);
  r.channels = png_get_channels(r.png, r.info);
}

void read_pixels(PngReader& r) {
  const size_t row_bytes = static_cast<size_t>(r.image.width) * r.channels;
  if (png_get_rowbytes(r.png, r.info) != row_bytes) png_error(r.png, "unexpected row size");
  r.image.rgb.resize(row_bytes * r.image.height);
  r.rows.resize(r.image.height);
  for (size_t y = 0; y < r.rows.size(); ++y) r.rows[y] = r.image.rgb.data() + y * row_bytes;
  png_read_image(r.png, r.rows.data());
  png_read_end(r.png, r.info);  // text may stand behind the pixels
}

enum class Keep { pixels, text };

void read_whole(PngReader& r, const std::string& name, Keep keep) {
  read_steps(r, name, [&r, keep] {
    start(r);
    // Skips what does not change pixels: gamma, profiles, text. PLTE, tRNS and eXIf stay.
    if (keep == Keep::pixels) {
      png_set_keep_unknown_chunks(r.png, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
      png_set_keep_unknown_chunks(r.png, PNG_HANDLE_CHUNK_AS_DEFAULT,
                                  reinterpret_cast<png_const_bytep>("eXIf"), 1);
    }
    png_read_info(r.png, r.info);
  });
  const uint64_t width = png_get_image_width(r.png, r.info);
  const uint64_t height = png_get_image_height(r.png, r.info);
  check_image_size(width, height, name);
  if (png_get_rowbytes(r.png, r.info) * height / kMostInflation > r.bytes.size()) {
    throw Error(name, fmt::format("the PNG has {} bytes, too few for its {} x {} pixels",
                                  r.bytes.size(), width, height));
  }
  r.image.width = static_cast<int>(width);
  r.image.height = static_cast<int>(height);
  read_steps(r, name, [&r] {
    ask_for_rgb(r);
    read_pixels(r);
  });
}

// What an eXIf chunk says, before or behind the pixels.
int png_orientation(const PngReader& r) {
  png_uint_32 size = 0;
  png_bytep exif = nullptr;
  if (png_get_eXIf_1(r.png, r.info, &size, &exif) == 0 || !exif) return 1;
  return tiff_orientation({exif, size});
}

std::string utf8_from_latin1(const char* text) {
  std::string out;
  for (; *text; ++text) {
    const auto c = static_cast<uint8_t>(*text);
    if (c < 0x80) {
      out += static_cast<char>(c);
    } else {
      out += static_cast<char>(0xC0 | c >> 6);
      out += static_cast<char>(0x80 | (c & 0x3F));
    }
  }
  return out;
}

struct PngWriter {
  Bytes out;
  PngMessage message;
  png_structp png = nullptr;
  png_infop info = nullptr;
  std::vector<png_text> text;

  PngWriter() {
    png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &message, on_error, on_warning);
    if (png) info = png_create_info_struct(png);
    if (!info) {
      png_destroy_write_struct(&png, nullptr);
      throw std::bad_alloc();
    }
  }
  ~PngWriter() { png_destroy_write_struct(&png, &info); }
  PngWriter(const PngWriter&) = delete;
  PngWriter& operator=(const PngWriter&) = delete;
};

void on_write(png_structp png, png_bytep bytes, size_t n) {
  auto* writer = static_cast<PngWriter*>(png_get_io_ptr(png));
  bool written = true;
  try {
    writer->out.insert(writer->out.end(), bytes, bytes + n);
  } catch (const std::bad_alloc&) {
    written = false;  // no exception may cross libpng's frames
  }
  if (!written) png_error(png, "not enough memory");
}

void on_flush(png_structp) {}

// The PNG specification: 1 to 79 printable characters, no space at either end or twice in a row.
bool is_keyword(std::string_view word) {
  if (word.empty() || word.size() > 79 || word.front() == ' ' || word.back() == ' ') return false;
  for (size_t i = 0; i < word.size(); ++i) {
    if (word[i] < 32 || word[i] > 126) return false;  // ASCII only: the same in tEXt and iTXt
    if (word[i] == ' ' && word[i - 1] == ' ') return false;
  }
  return true;
}

// tEXt holds Latin-1, which plain ASCII is too; anything more goes into iTXt as UTF-8.
std::vector<png_text> text_chunks(const PngText& text) {
  std::vector<png_text> chunks;
  for (const auto& [keyword, value] : text) {
    if (!is_keyword(keyword)) {
      throw Error("", fmt::format("\"{}\" cannot be the keyword of a PNG text", keyword));
    }
    if (value.find('\0') != std::string::npos || !is_utf8(value)) {
      throw Error("", fmt::format("the PNG text \"{}\" is not UTF-8 text without NUL", keyword));
    }
    bool ascii = true;
    for (const char c : value) ascii = ascii && static_cast<uint8_t>(c) < 0x80;
    png_text chunk{};
    chunk.compression = ascii ? PNG_TEXT_COMPRESSION_NONE : PNG_ITXT_COMPRESSION_NONE;
    chunk.key = const_cast<char*>(keyword.c_str());  // libpng copies, and lacks the const
    chunk.text = const_cast<char*>(value.c_str());
    (ascii ? chunk.text_length : chunk.itxt_length) = value.size();
    chunks.push_back(chunk);
  }
  return chunks;
}

}  // namespace

Image decode_png(std::span<const uint8_t> bytes, const std::string& name) {
  PngReader reader(bytes);
  read_whole(reader, name, Keep::pixels);
  if (reader.channels == 4) lay_over_white(reader.image);
  return oriented(std::move(reader.image), png_orientation(reader));
}

Bytes encode_png(const Image& image, const PngText& text) {
  check_image_size(image.width, image.height, "PNG");
  if (image.rgb.size() != size_t{3} * image.width * image.height) {
    throw Error("PNG", "the picture's pixels do not fit its size");
  }
  PngWriter writer;
  PngWriter& w = writer;
  w.text = text_chunks(text);
  auto steps = [&w, &image] {
    png_set_write_fn(w.png, &w, on_write, on_flush);
    png_set_IHDR(w.png, w.info, image.width, image.height, 8, PNG_COLOR_TYPE_RGB,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    // Said here, not left to defaults: the same picture gives the same bytes.
    png_set_compression_level(w.png, 6);
    png_set_filter(w.png, PNG_FILTER_TYPE_BASE, PNG_ALL_FILTERS);
    if (!w.text.empty())
      png_set_text(w.png, w.info, w.text.data(), static_cast<int>(w.text.size()));
    png_write_info(w.png, w.info);
    for (int y = 0; y < image.height; ++y) png_write_row(w.png, image.at(0, y));
    png_write_end(w.png, nullptr);
  };
  if (!without_error(w.png, steps)) {
    throw Error("", "cannot write a PNG: " + as_clause(w.message.text));
  }
  return std::move(w.out);
}

void write_png(const std::string& path, const Image& image, const PngText& text, bool force) {
  write_file(path, encode_png(image, text), force);
}

PngText read_png_text(const std::string& path) {
  const Bytes bytes = read_file(path);
  if (bytes.size() < 8 || png_sig_cmp(bytes.data(), 0, 8) != 0) throw Error(path, "is not a PNG");
  PngReader reader(bytes);
  read_whole(reader, path, Keep::text);
  png_textp texts = nullptr;
  const int count = png_get_text(reader.png, reader.info, &texts, nullptr);
  PngText result;
  for (int i = 0; i < count; ++i) {
    const bool unicode = texts[i].compression >= PNG_ITXT_COMPRESSION_NONE;
    const bool broken = unicode && !is_utf8(texts[i].text);
    result.emplace_back(utf8_from_latin1(texts[i].key), unicode && !broken
                                                            ? std::string(texts[i].text)
                                                            : utf8_from_latin1(texts[i].text));
  }
  return result;
}

}  // namespace vq
