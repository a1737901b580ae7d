// PyTorch archives made byte by byte: the pickle as a text of opcodes, the zip around it.
#pragma once

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "formats/bytes.h"

namespace vq::torch_files {

// ---- zip

inline uint32_t crc_of(std::string_view data) {
  uint32_t crc = 0xFFFFFFFF;
  for (const char c : data) {
    crc ^= static_cast<uint8_t>(c);
    for (int bit = 0; bit < 8; ++bit) crc = crc & 1 ? crc >> 1 ^ 0xEDB88320 : crc >> 1;
  }
  return ~crc;
}

struct ZipOptions {
  bool zip64 = false;  // sizes and offsets in the zip64 fields, whether they need it or not
  uint16_t flags = 0, method = 0;
  bool checksums = true;
};

// Records one behind the other; what they are comes with finish().
class ZipMaker {
 public:
  explicit ZipMaker(ZipOptions options = {}) : options_(options) {}

  // HOLE bytes of zero, not written here, follow the data: for files larger than memory.
  void add(const std::string& name, std::string_view data, uint64_t hole = 0) {
    const uint64_t size = data.size() + hole, at = position();
    const uint32_t crc = options_.checksums && hole == 0 ? crc_of(data) : 0;
    append_u32(bytes_, 0x04034B50);
    header(crc, options_.zip64 ? UINT32_MAX : size, name.size(), 4);
    append(name);
    for (const char c : {'F', 'B', '\0', '\0'}) bytes_.push_back(static_cast<uint8_t>(c));
    append(data);
    hole_ += hole;

    append_u32(directory_, 0x02014B50);
    append_u16(directory_, 0);
    std::swap(bytes_, directory_);  // header() and append() write to bytes_
    header(crc, options_.zip64 ? UINT32_MAX : size, name.size(), options_.zip64 ? 28 : 0);
    append_u16(bytes_, 0);
    append_u16(bytes_, 0);
    append_u16(bytes_, 0);
    append_u32(bytes_, 0);
    append_u32(bytes_, options_.zip64 ? UINT32_MAX : static_cast<uint32_t>(at));
    append(name);
    if (options_.zip64) {
      append_u16(bytes_, 1);
      append_u16(bytes_, 24);
      for (const uint64_t value : {size, size, at}) append_u64(bytes_, value);
    }
    std::swap(bytes_, directory_);
    ++records_;
  }
  uint64_t position() const { return bytes_.size() + hole_; }
  size_t written() const { return bytes_.size(); }

  Bytes finish() {
    const uint64_t at = position();
    bytes_.insert(bytes_.end(), directory_.begin(), directory_.end());
    if (options_.zip64) {
      const uint64_t end = position();
      append_u32(bytes_, 0x06064B50);
      append_u64(bytes_, 44);
      append_u32(bytes_, 0);
      append_u64(bytes_, 0);
      for (const uint64_t value : {records_, records_, uint64_t{directory_.size()}, at}) {
        append_u64(bytes_, value);
      }
      append_u32(bytes_, 0x07064B50);
      append_u32(bytes_, 0);
      append_u64(bytes_, end);
      append_u32(bytes_, 1);
    }
    append_u32(bytes_, 0x06054B50);
    append_u32(bytes_, 0);
    for (int i = 0; i < 2; ++i) append_u16(bytes_, static_cast<uint16_t>(records_));
    append_u32(bytes_, static_cast<uint32_t>(directory_.size()));
    append_u32(bytes_, options_.zip64 ? UINT32_MAX : static_cast<uint32_t>(at));
    append_u16(bytes_, 0);
    return bytes_;
  }

 private:
  void append(std::string_view text) { bytes_.insert(bytes_.end(), text.begin(), text.end()); }
  void header(uint32_t crc, uint64_t size, size_t name, size_t extra) {
    for (const uint16_t v : {uint16_t{45}, options_.flags, options_.method}) append_u16(bytes_, v);
    append_u32(bytes_, 0);
    append_u32(bytes_, crc);
    for (int i = 0; i < 2; ++i) append_u32(bytes_, static_cast<uint32_t>(size));
    append_u16(bytes_, static_cast<uint16_t>(name));
    append_u16(bytes_, static_cast<uint16_t>(extra));
  }

  ZipOptions options_;
  Bytes bytes_, directory_;
  uint64_t hole_ = 0, records_ = 0;
};

// ---- pickle: each function gives the opcodes that leave one value on the stack

using Values = std::vector<std::string>;

inline std::string little(uint64_t value, int bytes) {
  std::string out;
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> 8 * i);
  return out;
}
inline std::string join(const Values& values) {
  std::string out;
  for (const std::string& value : values) out += value;
  return out;
}
inline std::string text(const std::string& s) { return "X" + little(s.size(), 4) + s; }
inline std::string integer(int64_t n) {
  if (n >= 0 && n < 256) return "K" + little(static_cast<uint64_t>(n), 1);
  return "\x8a\x08" + little(static_cast<uint64_t>(n), 8);
}
inline std::string tuple(const Values& values) { return "(" + join(values) + "t"; }
inline std::string list(const Values& values) { return "](" + join(values) + "e"; }
inline std::string dict(const Values& keys_and_values) {
  return "}(" + join(keys_and_values) + "u";
}
inline std::string ints(const std::vector<int64_t>& numbers) {
  Values values;
  for (const int64_t n : numbers) values.push_back(integer(n));
  return tuple(values);
}
inline std::string global(const std::string& module, const std::string& name) {
  return "c" + module + "\n" + name + "\n";
}
inline std::string call(const std::string& callee, const Values& arguments) {
  return callee + tuple(arguments) + "R";
}
inline std::string ordered_dict(const Values& keys_and_values = {}) {
  return call(global("collections", "OrderedDict"), {}) + "(" + join(keys_and_values) + "u";
}
inline std::string storage(const std::string& type, const std::string& key, int64_t count) {
  return tuple({text("storage"), global("torch", type), text(key), text("cpu"), integer(count)}) +
         "Q";
}
inline std::string tensor(const std::string& of, int64_t offset, const std::vector<int64_t>& shape,
                          const std::vector<int64_t>& strides) {
  return call(global("torch._utils", "_rebuild_tensor_v2"),
              {of, integer(offset), ints(shape), ints(strides), "\x89", ordered_dict()});
}
inline std::string parameter(const std::string& of) {
  return call(global("torch._utils", "_rebuild_parameter"), {of, "\x88", ordered_dict()});
}
inline std::string pickle(const std::string& value) { return "\x80\x02" + value + "."; }

// ---- both

using Storages = std::vector<std::pair<std::string, std::string>>;  // key, bytes

inline Bytes archive(const std::string& value, const Storages& storages = {},
                     ZipOptions options = {}, const Storages& more = {{"version", "3\n"}}) {
  ZipMaker zip(options);
  zip.add("archive/data.pkl", pickle(value));
  zip.add("archive/byteorder", "little");
  for (const auto& [key, bytes] : storages) zip.add("archive/data/" + key, bytes);
  for (const auto& [name, bytes] : more) zip.add("archive/" + name, bytes);
  return zip.finish();
}

template <class T>
std::string numbers(std::initializer_list<T> values) {
  return {reinterpret_cast<const char*>(values.begin()), values.size() * sizeof(T)};
}

// One of everything, for damage and for fuzzing.
inline std::string everything() {
  const std::string floats = storage("FloatStorage", "0", 6);
  return dict({text("model"),
               ordered_dict({text("a.weight"), tensor(floats, 0, {2, 3}, {3, 1}), text("a.view"),
                             tensor(floats, 1, {2}, {3})}),
               text("half"), parameter(tensor(storage("HalfStorage", "1", 2), 0, {2}, {1})),
               text("epoch"), integer(300), text("rate"),
               "G" + std::string("\x3f\xf0\0\0\0\0\0\0", 8), text("args"),
               global("argparse", "Namespace") + ")\x81" + dict({text("lr"), integer(-1)}) + "b",
               text("list"), list({"N", "\x88", tuple({integer(1)}), "C" + little(2, 1) + "ab"})});
}
inline Storages everything_storages() {
  return {{"0", numbers<float>({0, 1, 2, 3, 4, 5})}, {"1", numbers<uint16_t>({0x3C00, 0x4000})}};
}

}  // namespace vq::torch_files
