#include "formats/safetensors.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>
#include <tuple>

#include "formats/bytes.h"
#include "formats/detect.h"
#include "formats/error.h"
#include "formats/mapped_file.h"
#include "formats/utf8.h"

namespace vq {
namespace {

// Members by name in a tree: a hostile header with a million names must not cost their square.
using HeaderJson = nlohmann::json;

constexpr uint64_t kMaxHeader = 100'000'000;
constexpr uint64_t kAlignment = 64;
constexpr uint64_t kLengthBytes = 8;
constexpr const char* kMetadata = "__metadata__";

struct DTypeRow {
  DType dtype;
  const char* name;
  size_t size;
};
constexpr std::array<DTypeRow, 10> kDTypes = {{
    {DType::f64, "F64", 8},
    {DType::f32, "F32", 4},
    {DType::f16, "F16", 2},
    {DType::bf16, "BF16", 2},
    {DType::i64, "I64", 8},
    {DType::i32, "I32", 4},
    {DType::i16, "I16", 2},
    {DType::i8, "I8", 1},
    {DType::u8, "U8", 1},
    {DType::boolean, "BOOL", 1},
}};

const DTypeRow& row_of(DType dtype) {
  for (const DTypeRow& row : kDTypes) {
    if (row.dtype == dtype) return row;
  }
  throw Error("", "not a tensor type");
}

// The number of bytes of a shape; false when it does not fit 63 bits.
bool byte_count(const std::vector<int64_t>& shape, DType dtype, uint64_t& bytes) {
  bytes = dtype_size(dtype);
  for (const int64_t n : shape) {
    if (n == 0) return bytes = 0, true;
  }
  for (const int64_t n : shape) {
    if (n < 0 || __builtin_mul_overflow(bytes, static_cast<uint64_t>(n), &bytes)) return false;
    if (bytes > INT64_MAX) return false;
  }
  return true;
}

std::string show(const std::vector<int64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ","));
}

struct Entry {
  std::string name;
  DType dtype = DType::f32;
  std::vector<int64_t> shape;
  uint64_t begin = 0, end = 0;
};

// The hint for somebody who gave another kind of file.
std::string hint(std::span<const uint8_t> file) {
  constexpr size_t kLookAt = 64 << 10;
  return hint_for(Format::safetensors, detect(file.first(std::min(file.size(), kLookAt))));
}

// The header's text: after the length, before the data.
std::string_view header_text(std::span<const uint8_t> file, const std::string& path) {
  if (file.size() < kLengthBytes) {
    throw Error(path, fmt::format("has {} bytes, too few for a safetensors file", file.size()));
  }
  const uint64_t length = load_u64(file.data());
  if (length > kMaxHeader) {
    throw Error(path,
                fmt::format("is not a safetensors file: its header would have {} bytes, the limit "
                            "is {}",
                            length, kMaxHeader),
                hint(file));
  }
  if (length > file.size() - kLengthBytes) {
    throw Error(path, fmt::format("the file ends in its header: {} bytes of {}",
                                  file.size() - kLengthBytes, length));
  }
  const std::string_view text = as_text(file.subspan(kLengthBytes, length));
  if (!text.starts_with('{')) {
    throw Error(path, "is not a safetensors file: its header is not a JSON object", hint(file));
  }
  return text;
}

HeaderJson parse_header(std::string_view text, const std::string& path) {
  std::set<std::string> seen;
  std::string repeated;
  const auto watch = [&](int depth, HeaderJson::parse_event_t event, HeaderJson& value) {
    if (depth == 1 && event == HeaderJson::parse_event_t::key) {
      const auto& name = value.get_ref<const std::string&>();
      if (!seen.insert(name).second) repeated = name;
    }
    return true;
  };
  HeaderJson header;
  try {
    header = HeaderJson::parse(text, watch);
  } catch (const HeaderJson::parse_error& e) {
    throw Error(path, fmt::format("the safetensors header is not valid JSON at byte {}", e.byte));
  } catch (const HeaderJson::exception&) {
    throw Error(path, "the safetensors header holds a number that is out of range");
  }
  if (!repeated.empty()) throw Error(path, fmt::format("the tensor {} is there twice", repeated));
  return header;
}

std::map<std::string, std::string> read_metadata(const HeaderJson& value, const std::string& path) {
  if (!value.is_object()) throw Error(path, "__metadata__ in the header is not an object");
  std::map<std::string, std::string> metadata;
  for (const auto& [key, text] : value.items()) {
    if (!text.is_string()) {
      throw Error(path, fmt::format("__metadata__ \"{}\" in the header is not a string", key));
    }
    metadata[key] = text.get<std::string>();
  }
  return metadata;
}

std::vector<uint64_t> whole_numbers(const HeaderJson& entry, const char* member,
                                    const std::string& where) {
  const auto it = entry.find(member);
  if (it == entry.end() || !it->is_array()) {
    throw Error(where, fmt::format("\"{}\" is not a list", member));
  }
  std::vector<uint64_t> numbers;
  for (const HeaderJson& value : *it) {
    if (!value.is_number_unsigned() || value.get<uint64_t>() > INT64_MAX) {
      throw Error(where, fmt::format("\"{}\" holds something else than whole numbers", member));
    }
    numbers.push_back(value.get<uint64_t>());
  }
  return numbers;
}

Entry read_entry(const std::string& name, const HeaderJson& json, const std::string& path) {
  const std::string where = fmt::format("{}: tensor {}", path, name);
  if (!json.is_object()) throw Error(where, "its entry in the header is not an object");
  const auto dtype = json.find("dtype");
  if (dtype == json.end() || !dtype->is_string()) throw Error(where, "has no \"dtype\"");
  const auto& dtype_text = dtype->get_ref<const std::string&>();
  const auto row = std::find_if(kDTypes.begin(), kDTypes.end(),
                                [&](const DTypeRow& r) { return r.name == dtype_text; });
  if (row == kDTypes.end()) throw Error(where, fmt::format("has the unknown type {}", dtype_text));

  Entry entry{name, row->dtype, {}, 0, 0};
  for (const uint64_t n : whole_numbers(json, "shape", where)) {
    entry.shape.push_back(static_cast<int64_t>(n));
  }
  const auto offsets = whole_numbers(json, "data_offsets", where);
  if (offsets.size() != 2 || offsets[0] > offsets[1]) {
    throw Error(where, "\"data_offsets\" is not [begin, end]");
  }
  entry.begin = offsets[0], entry.end = offsets[1];
  uint64_t bytes = 0;
  if (!byte_count(entry.shape, entry.dtype, bytes)) {
    throw Error(where, fmt::format("the shape {} is too large", show(entry.shape)));
  }
  if (bytes != entry.end - entry.begin) {
    throw Error(where, fmt::format("{} {} needs {} bytes, its offsets span {}", row->name,
                                   show(entry.shape), bytes, entry.end - entry.begin));
  }
  return entry;
}

// Sorts the tensors as their data lie, and throws unless they cover the data exactly.
void check_cover(std::vector<Entry>& entries, uint64_t data_bytes, const std::string& path) {
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  uint64_t at = 0;
  for (const Entry& entry : entries) {
    const std::string where = fmt::format("{}: tensor {}", path, entry.name);
    if (entry.end > data_bytes) {
      throw Error(where,
                  fmt::format("ends at byte {} of the data, but the file has only {}", entry.end,
                              data_bytes),
                  "the file may be cut off");
    }
    if (entry.begin < at) {
      throw Error(where,
                  fmt::format("overlaps the tensor before it by {} bytes", at - entry.begin));
    }
    if (entry.begin > at) {
      throw Error(where, fmt::format("leaves {} bytes unused before it", entry.begin - at));
    }
    at = entry.end;
  }
  if (at != data_bytes) {
    throw Error(path, fmt::format("has {} bytes after its last tensor", data_bytes - at));
  }
}

// The bytes of all tensors; throws for names and shapes that cannot be written.
uint64_t check_layouts(const std::vector<TensorLayout>& tensors, const std::string& path) {
  std::set<std::string_view> names;
  uint64_t all = 0;
  for (const TensorLayout& tensor : tensors) {
    const std::string where = fmt::format("{}: tensor {}", path, tensor.name);
    if (tensor.name == kMetadata || !is_utf8(tensor.name))
      throw Error(where, "is not a valid name");
    if (!names.insert(tensor.name).second) throw Error(where, "is given twice");
    uint64_t bytes = 0;
    if (!byte_count(tensor.shape, tensor.dtype, bytes) ||
        __builtin_add_overflow(all, bytes, &all)) {
      throw Error(where, fmt::format("the shape {} cannot be written", show(tensor.shape)));
    }
  }
  return all;
}

std::string header_of(const std::vector<TensorLayout>& tensors,
                      const std::map<std::string, std::string>& metadata, const std::string& path) {
  std::string text = "{";
  if (!metadata.empty()) {
    for (const auto& [key, value] : metadata) {
      if (!is_utf8(key) || !is_utf8(value)) throw Error(path, "metadata that is not UTF-8 text");
    }
    text += fmt::format("\"{}\":{}", kMetadata, HeaderJson(metadata).dump());
  }
  uint64_t at = 0;
  for (const TensorLayout& tensor : tensors) {
    uint64_t bytes = 0;
    byte_count(tensor.shape, tensor.dtype, bytes);
    text += fmt::format("{}{}:{{\"dtype\":\"{}\",\"shape\":{},\"data_offsets\":[{},{}]}}",
                        text.size() > 1 ? "," : "", HeaderJson(tensor.name).dump(),
                        dtype_name(tensor.dtype), show(tensor.shape), at, at + bytes);
    at += bytes;
  }
  text += "}";
  while ((text.size() + kLengthBytes) % kAlignment != 0) text += ' ';
  if (text.size() > kMaxHeader) {
    throw Error(path, fmt::format("the header would have {} bytes, the limit is {}", text.size(),
                                  kMaxHeader));
  }
  return text;
}

}  // namespace

size_t dtype_size(DType dtype) { return row_of(dtype).size; }

const char* dtype_name(DType dtype) { return row_of(dtype).name; }

struct SafetensorsFile::State {
  std::string path;
  MappedFile map;
  std::map<std::string, std::string> metadata;
  std::vector<std::string> names;
  std::map<std::string, TensorView, std::less<>> tensors;

  explicit State(const std::string& from) : path(from), map(from, "safetensors") {}
};

SafetensorsFile::SafetensorsFile(const std::string& path) {
  auto state = std::make_shared<State>(path);
  const auto file = state->map.bytes();
  const std::string_view text = header_text(file, path);
  const auto data = file.subspan(kLengthBytes + text.size());
  std::vector<Entry> entries;
  {
    const HeaderJson header = parse_header(text, path);
    for (const auto& [name, value] : header.items()) {
      if (name == kMetadata) {
        state->metadata = read_metadata(value, path);
      } else {
        entries.push_back(read_entry(name, value, path));
      }
    }
  }
  check_cover(entries, data.size(), path);
  for (Entry& entry : entries) {
    state->names.push_back(entry.name);
    state->tensors.emplace(entry.name,
                           TensorView{entry.dtype, std::move(entry.shape),
                                      data.subspan(entry.begin, entry.end - entry.begin)});
  }
  state_ = std::move(state);
}

const std::string& SafetensorsFile::path() const { return state_->path; }

const std::map<std::string, std::string>& SafetensorsFile::metadata() const {
  return state_->metadata;
}

const std::vector<std::string>& SafetensorsFile::names() const { return state_->names; }

bool SafetensorsFile::contains(const std::string& name) const {
  return state_->tensors.contains(name);
}

TensorView SafetensorsFile::tensor(const std::string& name) const {
  const auto it = state_->tensors.find(name);
  if (it == state_->tensors.end()) {
    throw Error(state_->path, fmt::format("has no tensor {}", name));
  }
  return it->second;
}

std::shared_ptr<const void> SafetensorsFile::mapping() const { return state_; }

void SafetensorsFile::forget() const { state_->map.forget(); }

void write_safetensors(const std::string& path, const std::vector<TensorToWrite>& tensors,
                       const std::map<std::string, std::string>& metadata, bool force) {
  std::vector<TensorLayout> layouts;
  for (const TensorToWrite& tensor : tensors) {
    layouts.push_back({tensor.name, tensor.dtype, tensor.shape});
    uint64_t bytes = 0;
    if (!byte_count(tensor.shape, tensor.dtype, bytes) || bytes != tensor.bytes.size()) {
      throw Error(fmt::format("{}: tensor {}", path, tensor.name),
                  fmt::format("{} {} does not fit its {} bytes", dtype_name(tensor.dtype),
                              show(tensor.shape), tensor.bytes.size()));
    }
  }
  SafetensorsWriter writer(path, layouts, metadata, force);
  for (const TensorToWrite& tensor : tensors) writer.write(tensor.bytes);
  writer.close();
}

namespace {

Output open_checked(const std::string& path, const std::vector<TensorLayout>& tensors,
                    const std::map<std::string, std::string>& metadata, bool force,
                    uint64_t& bytes) {
  bytes = check_layouts(tensors, path);
  const std::string header = header_of(tensors, metadata, path);
  Output output = Output::open(path, force);
  Bytes length;
  append_u64(length, header.size());
  output.write(std::span<const uint8_t>(length));
  output.write(header);
  return output;
}

}  // namespace

SafetensorsWriter::SafetensorsWriter(const std::string& path,
                                     const std::vector<TensorLayout>& tensors,
                                     const std::map<std::string, std::string>& metadata, bool force)
    : output_(open_checked(path, tensors, metadata, force, left_)) {}

void SafetensorsWriter::write(std::span<const uint8_t> bytes) {
  if (bytes.size() > left_) throw Error(output_.name(), "more bytes than its tensors have");
  output_.write(bytes);
  left_ -= bytes.size();
}

void SafetensorsWriter::close() {
  if (left_ > 0) throw Error(output_.name(), fmt::format("{} bytes of tensors are missing", left_));
  output_.close();
}

}  // namespace vq
