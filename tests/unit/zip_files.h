// The files of a zip archive, stored or deflated: how test data travel. For archives that we trust.
#pragma once

#include <zlib.h>

#include <map>
#include <stdexcept>
#include <string>

#include "formats/bytes.h"

namespace vq {

inline Bytes inflate_member(std::span<const uint8_t> packed, size_t size, const std::string& name) {
  Bytes out(size);
  z_stream stream{};
  stream.next_in = const_cast<Bytef*>(packed.data());
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = out.data();
  stream.avail_out = static_cast<uInt>(size);
  inflateInit2(&stream, -MAX_WBITS);
  const int result = inflate(&stream, Z_FINISH);
  inflateEnd(&stream);
  if (result != Z_STREAM_END) throw std::runtime_error(name + " cannot be unpacked");
  return out;
}

inline std::map<std::string, Bytes> read_zip(const std::string& path) {
  const Bytes zip = read_file(path);
  std::map<std::string, Bytes> files;
  const auto part = [&](size_t at, size_t n) {
    if (at > zip.size() || n > zip.size() - at) throw std::runtime_error(path + " is cut off");
    return std::span<const uint8_t>(zip).subspan(at, n);
  };
  for (size_t at = 0; load_u32(part(at, 4).data()) == 0x04034B50;) {
    const uint8_t* header = part(at, 30).data();
    const uint16_t flags = load_u16(header + 6), method = load_u16(header + 8);
    const uint32_t packed_size = load_u32(header + 18), size = load_u32(header + 22);
    const uint16_t name_size = load_u16(header + 26), extra_size = load_u16(header + 28);
    if ((flags & 8) || (method != 0 && method != 8)) {
      throw std::runtime_error(path + " is packed in a way not known here");
    }
    const std::string name(as_text(part(at + 30, name_size)));
    const auto packed = part(at + 30 + name_size + extra_size, packed_size);
    files[name] =
        method == 8 ? inflate_member(packed, size, name) : Bytes(packed.begin(), packed.end());
    at += 30 + name_size + extra_size + packed_size;
  }
  return files;
}

}  // namespace vq
