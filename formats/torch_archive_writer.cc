#include "formats/torch_archive_writer.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <bit>

#include "formats/error.h"

namespace vq {
namespace {

// ---- the pickle

const char* storage_type(DType dtype) {
  switch (dtype) {
    case DType::f64:
      return "DoubleStorage";
    case DType::f32:
      return "FloatStorage";
    case DType::f16:
      return "HalfStorage";
    case DType::bf16:
      return "BFloat16Storage";
    case DType::i64:
      return "LongStorage";
    case DType::i32:
      return "IntStorage";
    case DType::i16:
      return "ShortStorage";
    case DType::i8:
      return "CharStorage";
    case DType::u8:
      return "ByteStorage";
    case DType::boolean:
      return "BoolStorage";
  }
  return "";
}

// Opcodes of pickle's protocol 2, each leaving one value on the stack.
class PickleText {
 public:
  PickleText() { put("\x80\x02"); }

  void put(std::string_view code) { bytes_.insert(bytes_.end(), code.begin(), code.end()); }
  void mark() { put("("); }
  void tuple() { put("t"); }
  void call() { put("R"); }
  void empty_tuple() { put(")"); }
  void items() { put("u"); }  // of the dict below the mark
  void text(std::string_view text) {
    put("X");
    append_u32(bytes_, static_cast<uint32_t>(text.size()));
    put(text);
  }
  void whole(int64_t number) {
    if (number >= 0 && number < 256) {
      put("K"), bytes_.push_back(static_cast<uint8_t>(number));
    } else {
      put(std::string_view("\x8a\x08"));
      append_u64(bytes_, static_cast<uint64_t>(number));
    }
  }
  void fraction(double number) {
    const auto bits = std::bit_cast<uint64_t>(number);
    put("G");  // the most significant byte first
    for (int shift = 56; shift >= 0; shift -= 8)
      bytes_.push_back(static_cast<uint8_t>(bits >> shift));
  }
  void global(std::string_view module, std::string_view name) {
    put("c"), put(module), put("\n"), put(name), put("\n");
  }
  void ordered_dict() {
    global("collections", "OrderedDict");
    empty_tuple();
    call();
  }
  void sides(const std::vector<int64_t>& sides) {
    mark();
    for (const int64_t side : sides) whole(side);
    tuple();
  }
  Bytes finish() {
    put(".");
    return std::move(bytes_);
  }

 private:
  Bytes bytes_;
};

int64_t count_of(const std::vector<int64_t>& shape) {
  int64_t count = 1;
  for (const int64_t side : shape) count *= side;
  return count;
}

void put_tensor(PickleText& out, const TorchLayout& tensor, size_t storage) {
  std::vector<int64_t> strides(tensor.shape.size());
  int64_t step = 1;
  for (size_t i = strides.size(); i-- > 0;) {
    strides[i] = step;
    step *= std::max<int64_t>(1, tensor.shape[i]);
  }
  out.global("torch._utils", "_rebuild_tensor_v2");
  out.mark();
  out.mark();
  out.text("storage");
  out.global("torch", storage_type(tensor.dtype));
  out.text(std::to_string(storage));
  out.text("cpu");
  out.whole(count_of(tensor.shape));
  out.tuple();
  out.put("Q");  // a persistent id
  out.whole(0);
  out.sides(tensor.shape);
  out.sides(strides);
  out.put("\x89");  // false: takes no gradient
  out.ordered_dict();
  out.tuple();
  out.call();
}

void put_value(PickleText& out, const Json& value) {
  if (value.is_string()) {
    out.text(value.get<std::string>());
  } else if (value.is_boolean()) {
    out.put(value.get<bool>() ? "\x88" : "\x89");
  } else if (value.is_number_integer()) {
    out.whole(value.get<int64_t>());
  } else if (value.is_number()) {
    out.fraction(value.get<double>());
  } else if (value.is_null()) {
    out.put("N");
  } else {
    throw Error("", "values of an archive are texts and numbers, not " + value.dump());
  }
}

// The position of each tensor's storage.
std::vector<size_t> storages_of(const std::vector<TorchLayout>& tensors) {
  std::vector<size_t> storages;
  size_t next = 0;
  for (const TorchLayout& tensor : tensors) {
    if (!tensor.same_as) {
      storages.push_back(next++);
      continue;
    }
    const size_t other = *tensor.same_as;
    if (other >= storages.size() || tensors[other].dtype != tensor.dtype ||
        tensors[other].shape != tensor.shape) {
      throw Error("", fmt::format("tensor {} is not the same as an earlier one", tensor.name));
    }
    storages.push_back(storages[other]);
  }
  return storages;
}

Bytes pickle_of(const std::vector<TorchLayout>& tensors, const Json& values) {
  const std::vector<size_t> storages = storages_of(tensors);
  PickleText out;
  if (tensors.size() == 1 && tensors.front().group.empty() && tensors.front().name.empty()) {
    put_tensor(out, tensors.front(), 0);
    return out.finish();
  }
  out.put("}");
  out.mark();
  for (const auto& [name, value] : values.items()) {
    out.text(name);
    put_value(out, value);
  }
  std::vector<std::string> groups;
  for (const TorchLayout& tensor : tensors) {
    if (std::find(groups.begin(), groups.end(), tensor.group) == groups.end())
      groups.push_back(tensor.group);
  }
  for (const std::string& group : groups) {
    if (!group.empty()) {
      out.text(group);
      out.ordered_dict();
      out.mark();
    }
    for (size_t i = 0; i < tensors.size(); ++i) {
      if (tensors[i].group != group) continue;
      out.text(tensors[i].name);
      put_tensor(out, tensors[i], storages[i]);
    }
    if (!group.empty()) out.items();
  }
  out.items();
  return out.finish();
}

// ---- the zip around it

constexpr uint64_t kAlignment = 64;
// Sizes and checksum follow the data, which nobody has seen when the header is written; names are
// UTF-8. PyTorch's own archives have the same flags.
constexpr uint16_t kFlags = 0x0808;
constexpr const char* kFolder = "archive/";

uint16_t version_of(bool zip64) { return zip64 ? 45 : 20; }

// What local headers and the directory have in common, from the version on.
void put_header(Bytes& out, bool zip64, uint32_t crc, uint32_t size, const std::string& name,
                size_t extra) {
  append_u16(out, version_of(zip64));
  append_u16(out, kFlags);
  append_u16(out, 0);     // stored
  append_u16(out, 0);     // midnight
  append_u16(out, 0x21);  // 1980-01-01, the first day there is
  append_u32(out, crc);
  append_u32(out, size);
  append_u32(out, size);
  append_u16(out, static_cast<uint16_t>(name.size()));
  append_u16(out, static_cast<uint16_t>(extra));
}

}  // namespace

TorchArchiveWriter::TorchArchiveWriter(const std::string& path,
                                       const std::vector<TorchLayout>& tensors, const Json& values,
                                       bool force, uint64_t zip64_from)
    : output_(Output::open(path, force)), zip64_from_(zip64_from) {
  const Bytes pickle = pickle_of(tensors, values);
  for (const TorchLayout& tensor : tensors) {
    if (!tensor.same_as)
      storages_.push_back(static_cast<uint64_t>(count_of(tensor.shape)) * dtype_size(tensor.dtype));
  }
  add_record("data.pkl", as_text(pickle));
  add_record("byteorder", "little");
  begin_storages();
}

void TorchArchiveWriter::begin(const std::string& name, uint64_t size) {
  const bool zip64 = size >= zip64_from_;
  Record record{kFolder + name, output_.offset(), size, 0};
  const uint64_t before = record.offset + 30 + record.name.size() + (zip64 ? 20 : 0) + 4;
  const uint64_t padding = (kAlignment - before % kAlignment) % kAlignment;
  Bytes header;
  append_u32(header, 0x04034B50);
  put_header(header, zip64, 0, zip64 ? UINT32_MAX : 0, record.name, (zip64 ? 20 : 0) + 4 + padding);
  header.insert(header.end(), record.name.begin(), record.name.end());
  if (zip64) {  // says that the sizes behind the data have 64 bits
    append_u16(header, 1);
    append_u16(header, 16);
    append_u64(header, 0);
    append_u64(header, 0);
  }
  header.insert(header.end(), {'F', 'B'});
  append_u16(header, static_cast<uint16_t>(padding));
  header.insert(header.end(), padding, 'Z');
  output_.write(header);
  records_.push_back(std::move(record));
  left_ = size, open_ = true;
}

void TorchArchiveWriter::add(std::span<const uint8_t> bytes) {
  records_.back().crc =
      static_cast<uint32_t>(crc32_z(records_.back().crc, bytes.data(), bytes.size()));
  output_.write(bytes);
  left_ -= bytes.size();
}

void TorchArchiveWriter::end() {
  const Record& record = records_.back();
  Bytes descriptor;
  append_u32(descriptor, 0x08074B50);
  append_u32(descriptor, record.crc);
  for (int i = 0; i < 2; ++i) {
    if (record.size >= zip64_from_) {
      append_u64(descriptor, record.size);
    } else {
      append_u32(descriptor, static_cast<uint32_t>(record.size));
    }
  }
  output_.write(descriptor);
  open_ = false;
}

void TorchArchiveWriter::add_record(const std::string& name, std::string_view content) {
  begin(name, content.size());
  add(as_bytes(content));
  end();
}

void TorchArchiveWriter::begin_storages() {
  while (!open_ && next_storage_ < storages_.size()) {
    begin("data/" + std::to_string(next_storage_), storages_[next_storage_]);
    ++next_storage_;
    if (left_ == 0) end();
  }
}

void TorchArchiveWriter::write(std::span<const uint8_t> bytes) {
  while (!bytes.empty()) {
    if (!open_) throw Error(output_.name(), "is given more bytes than its tensors have");
    const size_t part = static_cast<size_t>(std::min<uint64_t>(left_, bytes.size()));
    add(bytes.first(part));
    bytes = bytes.subspan(part);
    if (left_ > 0) continue;
    end();
    begin_storages();
  }
}

void TorchArchiveWriter::write_directory() {
  const uint64_t at = output_.offset();
  Bytes directory;
  for (const Record& record : records_) {
    const bool large = record.size >= zip64_from_, far = record.offset >= zip64_from_;
    const size_t extra = large || far ? 4 + (large ? 16 : 0) + (far ? 8 : 0) : 0;
    append_u32(directory, 0x02014B50);
    append_u16(directory, version_of(extra > 0));
    put_header(directory, extra > 0, record.crc,
               large ? UINT32_MAX : static_cast<uint32_t>(record.size), record.name, extra);
    append_u16(directory, 0);  // no comment
    append_u16(directory, 0);  // of disk 0
    append_u16(directory, 0);
    append_u32(directory, 0);
    append_u32(directory, far ? UINT32_MAX : static_cast<uint32_t>(record.offset));
    directory.insert(directory.end(), record.name.begin(), record.name.end());
    if (extra == 0) continue;
    append_u16(directory, 1);
    append_u16(directory, static_cast<uint16_t>(extra - 4));
    if (large) append_u64(directory, record.size), append_u64(directory, record.size);
    if (far) append_u64(directory, record.offset);
  }
  const uint64_t size = directory.size(), count = records_.size();
  constexpr uint64_t kMost16 = UINT16_MAX;
  const bool zip64 = at >= zip64_from_ || size >= zip64_from_ || count >= kMost16;
  if (zip64) {
    append_u32(directory, 0x06064B50);
    append_u64(directory, 44);
    append_u16(directory, 45);
    append_u16(directory, 45);
    append_u64(directory, 0);  // disks
    for (const uint64_t value : {count, count, size, at}) append_u64(directory, value);
    append_u32(directory, 0x07064B50);
    append_u32(directory, 0);
    append_u64(directory, at + size);
    append_u32(directory, 1);
  }
  append_u32(directory, 0x06054B50);
  append_u32(directory, 0);  // disks
  for (int i = 0; i < 2; ++i)
    append_u16(directory, static_cast<uint16_t>(std::min(count, kMost16)));
  append_u32(directory, zip64 ? UINT32_MAX : static_cast<uint32_t>(size));
  append_u32(directory, zip64 ? UINT32_MAX : static_cast<uint32_t>(at));
  append_u16(directory, 0);
  output_.write(directory);
}

void TorchArchiveWriter::close() {
  if (open_) throw Error(output_.name(), fmt::format("lacks bytes of {}", records_.back().name));
  add_record("version", "3\n");
  write_directory();
  output_.close();
}

}  // namespace vq
