#include "formats/npz.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <map>
#include <optional>

#include "formats/detect.h"
#include "formats/error.h"
#include "formats/mapped_file.h"
#include "formats/zip_directory.h"

namespace vq {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr size_t kMaxHeader = 64 << 10, kMaxSides = 64, kPiece = 1 << 20;
constexpr std::string_view kSuffix = ".npy";

struct TypeName {
  std::string_view descr;
  DType dtype;
};
constexpr TypeName kTypes[] = {{"<f8", DType::f64}, {"<f4", DType::f32}, {"<f2", DType::f16},
                               {"<i8", DType::i64}, {"<i4", DType::i32}, {"<i2", DType::i16},
                               {"|i1", DType::i8},  {"|u1", DType::u8},  {"|b1", DType::boolean}};

// What follows `'key':` in the header, without leading spaces; empty when the key is not there.
std::string_view member(std::string_view header, std::string_view key) {
  const size_t at = header.find(fmt::format("'{}':", key));
  if (at == header.npos) return {};
  header.remove_prefix(at + key.size() + 3);
  header.remove_prefix(std::min(header.find_first_not_of(' '), header.size()));
  return header;
}

DType parse_descr(std::string_view header, const std::string& where) {
  const std::string_view value = member(header, "descr");
  const size_t end = value.empty() || value[0] != '\'' ? value.npos : value.find('\'', 1);
  if (end == value.npos) throw Error(where, "holds a structure, where plain numbers are needed");
  const std::string_view descr = value.substr(1, end - 1);
  for (const TypeName& type : kTypes) {
    if (type.descr == descr) return type.dtype;
  }
  throw Error(where, fmt::format("holds numbers of type '{}', which are not read here", descr),
              "numpy's astype('float64') makes them readable");
}

std::vector<int64_t> parse_shape(std::string_view header, const std::string& where) {
  std::string_view value = member(header, "shape");
  const size_t end = value.find(')');
  if (value.empty() || value[0] != '(' || end == value.npos) {
    throw Error(where, "has a header without a shape");
  }
  value = value.substr(1, end - 1);
  std::vector<int64_t> shape;
  while (!value.empty()) {
    int64_t side = 0;
    const auto result = std::from_chars(value.data(), value.data() + value.size(), side);
    if (result.ec != std::errc() || side < 0 || shape.size() == kMaxSides) {
      throw Error(where, "has a shape that is no list of sizes");
    }
    shape.push_back(side);
    value.remove_prefix(static_cast<size_t>(result.ptr - value.data()));
    value.remove_prefix(std::min(value.find_first_not_of(", "), value.size()));
  }
  return shape;
}

Bytes inflated(const ZipRecord& record, const std::string& where) {
  Bytes out;
  z_stream stream{};
  stream.next_in = const_cast<Bytef*>(record.bytes.data());
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) throw Error(where, "cannot be unpacked");
  size_t given = 0;
  int result = Z_OK;
  while (result == Z_OK) {
    if (stream.avail_in == 0) {
      const size_t more = std::min<size_t>(record.bytes.size() - given, 1U << 30);
      stream.avail_in = static_cast<uInt>(more);
      given += more;
    }
    const size_t had = out.size();
    out.resize(had + kPiece);
    stream.next_out = out.data() + had;
    stream.avail_out = kPiece;
    result = inflate(&stream, Z_NO_FLUSH);
    out.resize(had + kPiece - stream.avail_out);
    if (result == Z_OK && out.size() == had && stream.avail_in == 0 &&
        given == record.bytes.size()) {
      result = Z_BUF_ERROR;
    }
  }
  inflateEnd(&stream);
  if (result != Z_STREAM_END) throw Error(where, "is damaged and cannot be unpacked");
  return out;
}

uint32_t checksum(std::span<const uint8_t> bytes) {
  return static_cast<uint32_t>(crc32_z(0, bytes.data(), bytes.size()));
}

template <typename T>
void convert(const NpyArray& array, std::vector<double>& out) {
  for (size_t i = 0; i < out.size(); ++i) {
    T value;
    std::memcpy(&value, array.bytes.data() + i * sizeof(T), sizeof(T));
    out[i] = static_cast<double>(value);
  }
}

double half_to_double(uint16_t half) {
  const int exponent = half >> 10 & 31, fraction = half & 1023;
  double value = exponent == 0    ? std::ldexp(fraction, -24)
                 : exponent == 31 ? (fraction ? NAN : INFINITY)
                                  : std::ldexp(fraction + 1024, exponent - 25);
  return half & 0x8000 ? -value : value;
}

// Columns first -> rows first.
std::vector<double> rows_first(const std::vector<double>& from, const std::vector<int64_t>& shape) {
  std::vector<double> to(from.size());
  std::vector<int64_t> index(shape.size(), 0);
  for (double& value : to) {
    size_t at = 0;
    for (size_t d = shape.size(); d-- > 0;) at = at * static_cast<size_t>(shape[d]) + index[d];
    value = from[at];
    for (size_t d = shape.size(); d-- > 0;) {
      if (++index[d] < shape[d]) break;
      index[d] = 0;
    }
  }
  return to;
}

}  // namespace

int64_t NpyArray::count() const {
  int64_t n = 1;
  for (const int64_t side : shape) n *= side;
  return n;
}

NpyArray parse_npy(std::span<const uint8_t> file, const std::string& where) {
  if (file.size() < 10 || as_text(file.first(6)) != kMagic) {
    throw Error(where, "is not an array of NumPy");
  }
  const int version = file[6];
  const size_t prefix = version == 1 ? 10 : 12;
  if (version < 1 || version > 3 || file.size() < prefix) {
    throw Error(
        where, fmt::format("is of version {} of NumPy's format, which is not known here", version));
  }
  const size_t length = version == 1 ? load_u16(file.data() + 8) : load_u32(file.data() + 8);
  if (length > kMaxHeader || file.size() - prefix < length) {
    throw Error(where, "has a header that does not fit");
  }
  const std::string_view header = as_text(file.subspan(prefix, length));
  NpyArray array;
  array.dtype = parse_descr(header, where);
  array.shape = parse_shape(header, where);
  array.fortran = member(header, "fortran_order").starts_with("True");
  array.bytes = file.subspan(prefix + length);
  uint64_t need = dtype_size(array.dtype);
  bool empty = false;
  for (const int64_t side : array.shape) {
    empty = empty || side == 0;
    if (__builtin_mul_overflow(need, static_cast<uint64_t>(std::max<int64_t>(side, 1)), &need)) {
      throw Error(where, "has a shape larger than any memory");
    }
  }
  if (empty) need = 0;
  if (array.bytes.size() != need) {
    throw Error(where, fmt::format("has {} bytes of numbers where its header needs {}",
                                   array.bytes.size(), need));
  }
  return array;
}

struct NpzFile::State {
  State(const std::string& path_, const char* kind) : path(path_), map(path_, kind) {}
  std::string path;
  MappedFile map;
  std::optional<ZipDirectory> zip;
  std::map<std::string, Bytes> unpacked;
  std::map<std::string, NpyArray> arrays;

  const ZipRecord* find(const std::string& name) const {
    return zip->find(name + std::string(kSuffix));
  }
};

NpzFile::NpzFile(const std::string& path) : state_(std::make_shared<State>(path, "NumPy")) {
  const auto file = state_->map.bytes();
  const Format found = detect(file.first(std::min<size_t>(file.size(), 64 << 10)));
  if (found != Format::zip) {
    throw Error(path, fmt::format("is not an archive of NumPy but {}", describe(found)));
  }
  state_->zip.emplace(file, path);
  if (names().empty()) throw Error(path, "is a zip archive without arrays of NumPy");
}

const std::string& NpzFile::path() const { return state_->path; }

std::vector<std::string> NpzFile::names() const {
  std::vector<std::string> names;
  for (const ZipRecord& record : state_->zip->records()) {
    if (!record.name.ends_with(kSuffix)) continue;
    names.emplace_back(record.name.substr(0, record.name.size() - kSuffix.size()));
  }
  return names;
}

bool NpzFile::contains(const std::string& name) const { return state_->find(name) != nullptr; }

const NpyArray& NpzFile::array(const std::string& name) const {
  const auto known = state_->arrays.find(name);
  if (known != state_->arrays.end()) return known->second;
  const std::string where = state_->path + ": " + name;
  const ZipRecord* record = state_->find(name);
  if (record == nullptr) throw Error(state_->path, "has no array '" + name + "'");
  std::span<const uint8_t> bytes = record->bytes;
  if (!record->stored) bytes = state_->unpacked[name] = inflated(*record, where);
  if (checksum(bytes) != record->crc) throw Error(where, "is damaged: its checksum disagrees");
  return state_->arrays[name] = parse_npy(bytes, where);
}

std::vector<double> NpzFile::numbers(const std::string& name, int64_t limit) const {
  const NpyArray& from = array(name);
  if (from.count() > limit) {
    throw Error(
        state_->path + ": " + name,
        fmt::format("holds {} numbers, more than the {} that are read", from.count(), limit));
  }
  std::vector<double> out(static_cast<size_t>(from.count()));
  switch (from.dtype) {
    case DType::f64:
      convert<double>(from, out);
      break;
    case DType::f32:
      convert<float>(from, out);
      break;
    case DType::i64:
      convert<int64_t>(from, out);
      break;
    case DType::i32:
      convert<int32_t>(from, out);
      break;
    case DType::i16:
      convert<int16_t>(from, out);
      break;
    case DType::i8:
      convert<int8_t>(from, out);
      break;
    case DType::u8:
    case DType::boolean:
      convert<uint8_t>(from, out);
      break;
    case DType::f16:
    case DType::bf16:
      for (size_t i = 0; i < out.size(); ++i) {
        out[i] = half_to_double(load_u16(from.bytes.data() + 2 * i));
      }
      break;
  }
  return from.fortran && from.shape.size() > 1 ? rows_first(out, from.shape) : out;
}

std::string NpzFile::text(const std::string& name) const {
  const NpyArray& from = array(name);
  if (from.dtype != DType::u8) throw Error(state_->path + ": " + name, "holds no text");
  return std::string(as_text(from.bytes));
}

namespace {

std::string npy_header(const NpyToWrite& array) {
  std::string shape;
  for (const int64_t side : array.shape) shape += fmt::format("{}, ", side);
  if (array.shape.size() > 1) shape.resize(shape.size() - 2);
  if (array.shape.size() == 1) shape.resize(shape.size() - 1);
  std::string_view descr;
  for (const TypeName& type : kTypes) {
    if (type.dtype == array.dtype) descr = type.descr;
  }
  std::string text =
      fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", descr, shape);
  const size_t whole = (10 + text.size() + 1 + 63) / 64 * 64;  // numbers begin at a multiple of 64
  text.resize(whole - 11, ' ');
  text += '\n';
  std::string header(kMagic);
  header += std::string("\x01\x00", 2);
  header += static_cast<char>(text.size() & 255);
  header += static_cast<char>(text.size() >> 8);
  return header + text;
}

struct WrittenRecord {
  std::string name;
  uint32_t crc = 0, size = 0, offset = 0;
};

// What local and central headers have in common, from the version to the lengths.
void append_common(Bytes& out, const WrittenRecord& record) {
  append_u16(out, 20);  // version 2.0
  append_u16(out, 0);
  append_u16(out, 0);     // stored
  append_u16(out, 0);     // time
  append_u16(out, 0x21);  // 1 January 1980: the same content gives the same bytes
  append_u32(out, record.crc);
  append_u32(out, record.size);
  append_u32(out, record.size);
  append_u16(out, static_cast<uint16_t>(record.name.size()));
  append_u16(out, 0);
}

}  // namespace

void write_npz(Output output, const std::vector<NpyToWrite>& arrays) {
  std::vector<WrittenRecord> records;
  for (const NpyToWrite& array : arrays) {
    const std::string header = npy_header(array);
    const uint64_t size = header.size() + array.bytes.size();
    if (size + output.offset() > UINT32_MAX - 65536) {
      throw Error(output.name(), "would be larger than the 4 GiB of such an archive");
    }
    WrittenRecord record{array.name + std::string(kSuffix), checksum(as_bytes(header)),
                         static_cast<uint32_t>(size), static_cast<uint32_t>(output.offset())};
    record.crc = static_cast<uint32_t>(crc32_z(record.crc, array.bytes.data(), array.bytes.size()));
    Bytes local;
    append_u32(local, 0x04034B50);
    append_common(local, record);
    output.write(local);
    output.write(record.name);
    output.write(header);
    output.write(array.bytes);
    records.push_back(record);
  }
  Bytes end;
  for (const WrittenRecord& record : records) {
    append_u32(end, 0x02014B50);
    append_u16(end, 20);
    append_common(end, record);
    append_u16(end, 0);  // comment, disk, attributes
    append_u16(end, 0);
    append_u16(end, 0);
    append_u32(end, 0);
    append_u32(end, record.offset);
    for (const char c : record.name) end.push_back(static_cast<uint8_t>(c));
  }
  const auto directory = static_cast<uint32_t>(end.size());
  append_u32(end, 0x06054B50);
  append_u32(end, 0);
  append_u16(end, static_cast<uint16_t>(records.size()));
  append_u16(end, static_cast<uint16_t>(records.size()));
  append_u32(end, directory);
  append_u32(end, static_cast<uint32_t>(output.offset()));
  append_u16(end, 0);
  output.write(end);
  output.close();
}

}  // namespace vq
