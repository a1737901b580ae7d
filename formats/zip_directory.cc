#include "formats/zip_directory.h"

#include <fmt/format.h>

#include <algorithm>

#include "formats/bytes.h"
#include "formats/error.h"
#include "formats/utf8.h"

namespace vq {
namespace {

constexpr uint32_t kLocalHeader = 0x04034B50, kCentralHeader = 0x02014B50;
constexpr uint32_t kEnd = 0x06054B50, kEnd64 = 0x06064B50, kLocator64 = 0x07064B50;
constexpr size_t kLocalSize = 30, kCentralSize = 46;
constexpr size_t kEndSize = 22, kEnd64Size = 56, kLocatorSize = 20;
constexpr size_t kMaxComment = 0xFFFF;
constexpr uint64_t kMaxRecords = 1 << 20;
constexpr uint16_t kStored = 0, kEncryptedFlag = 1, kZip64Field = 1;
constexpr uint32_t kElsewhere = 0xFFFFFFFF;  // the value is in the zip64 field

struct Extent {
  uint64_t offset = 0, size = 0, records = 0;
};

class Reader {
 public:
  Reader(std::span<const uint8_t> archive, const std::string& where)
      : archive_(archive), where_(where) {}

  Extent directory() const;
  ZipRecord record(uint64_t& at, const Extent& directory) const;

  [[noreturn]] void fail(const std::string& what, const std::string& hint = {}) const {
    throw Error(where_, what, hint);
  }

 private:
  bool there(uint64_t at, uint64_t n) const {
    return at <= archive_.size() && n <= archive_.size() - at;
  }
  bool is(uint64_t at, uint32_t signature, size_t size) const {
    return there(at, size) && load_u32(archive_.data() + at) == signature;
  }
  size_t end_mark() const;
  void widen(std::span<const uint8_t> extra, uint64_t& size, uint64_t& packed,
             uint64_t& header) const;

  std::span<const uint8_t> archive_;
  const std::string& where_;
};

// The end mark is the last thing in the file, but for a comment whose length it tells.
size_t Reader::end_mark() const {
  const size_t n = archive_.size();
  for (size_t comment = 0; comment <= kMaxComment && comment + kEndSize <= n; ++comment) {
    const size_t at = n - kEndSize - comment;
    if (is(at, kEnd, kEndSize) && load_u16(archive_.data() + at + 20) == comment) return at;
  }
  fail("has no zip directory at its end: it is cut off, or not a zip archive",
       "a file that came in parts is joined with cat, in the order of their names");
}

Extent Reader::directory() const {
  const size_t end = end_mark();
  const uint8_t* p = archive_.data() + end;
  Extent found{load_u32(p + 16), load_u32(p + 12), load_u16(p + 10)};
  uint64_t limit = end;
  bool parts = load_u16(p + 4) != 0 || load_u16(p + 6) != 0;
  if (end >= kLocatorSize && is(end - kLocatorSize, kLocator64, kLocatorSize)) {
    const uint64_t at = load_u64(archive_.data() + end - kLocatorSize + 8);
    if (!is(at, kEnd64, kEnd64Size)) fail("its zip64 directory is not where the archive says");
    p = archive_.data() + at;
    found = {load_u64(p + 48), load_u64(p + 40), load_u64(p + 32)};
    parts = load_u32(p + 16) != 0 || load_u32(p + 20) != 0;
    limit = at;
  }
  if (parts) fail("is one part of a zip archive in several parts");
  if (found.offset > limit || found.size > limit - found.offset) {
    fail("its zip directory would lie outside the file");
  }
  if (found.records > kMaxRecords) {
    fail(fmt::format("has {} records, the limit is {}", found.records, kMaxRecords));
  }
  return found;
}

// The zip64 field holds, in this order, those of the three values that are marked as elsewhere.
void Reader::widen(std::span<const uint8_t> extra, uint64_t& size, uint64_t& packed,
                   uint64_t& header) const {
  std::span<const uint8_t> field;
  while (extra.size() >= 4 && field.empty()) {
    const size_t n = load_u16(extra.data() + 2);
    if (n > extra.size() - 4) break;
    if (load_u16(extra.data()) == kZip64Field) field = extra.subspan(4, n);
    extra = extra.subspan(4 + n);
  }
  for (uint64_t* value : {&size, &packed, &header}) {
    if (*value != kElsewhere) continue;
    if (field.size() < 8) fail("a record larger than 4 GiB has no zip64 entry");
    *value = load_u64(field.data());
    field = field.subspan(8);
  }
}

// The record whose entry begins at AT, which moves behind it.
ZipRecord Reader::record(uint64_t& at, const Extent& directory) const {
  const uint64_t end = directory.offset + directory.size;
  if (at > end || end - at < kCentralSize || !is(at, kCentralHeader, kCentralSize)) {
    fail(fmt::format("its zip directory is damaged at byte {}", at));
  }
  const uint8_t* p = archive_.data() + at;
  const size_t name_size = load_u16(p + 28), extra_size = load_u16(p + 30);
  const size_t rest = name_size + extra_size + load_u16(p + 32);
  if (rest > end - at - kCentralSize) {
    fail(fmt::format("its zip directory is damaged at byte {}", at));
  }
  ZipRecord record;
  record.name = as_text(archive_.subspan(at + kCentralSize, name_size));
  if (!is_plain_text(record.name)) fail("a record has a name that is not plain text");
  if (load_u16(p + 8) & kEncryptedFlag) fail(fmt::format("record {} is encrypted", record.name));
  record.stored = load_u16(p + 10) == kStored;
  record.crc = load_u32(p + 16);
  uint64_t packed = load_u32(p + 20), size = load_u32(p + 24), header = load_u32(p + 42);
  widen(archive_.subspan(at + kCentralSize + name_size, extra_size), size, packed, header);
  at += kCentralSize + rest;

  if (record.stored && size != packed) {
    fail(fmt::format("record {} is stored, but with two different sizes", record.name));
  }
  if (header > directory.offset || !is(header, kLocalHeader, kLocalSize)) {
    fail(fmt::format("record {} is not where the zip directory says", record.name));
  }
  const uint8_t* local = archive_.data() + header;
  const uint64_t data = header + kLocalSize + load_u16(local + 26) + load_u16(local + 28);
  if (data > directory.offset || packed > directory.offset - data) {
    fail(fmt::format("record {} would reach into the zip directory", record.name));
  }
  if (as_text(archive_.subspan(header + kLocalSize, load_u16(local + 26))) != record.name) {
    fail(fmt::format("record {} has another name at its data", record.name));
  }
  record.bytes = archive_.subspan(data, packed);
  return record;
}

}  // namespace

ZipDirectory::ZipDirectory(std::span<const uint8_t> archive, const std::string& where) {
  const Reader reader(archive, where);
  const Extent directory = reader.directory();
  uint64_t at = directory.offset;
  for (uint64_t i = 0; i < directory.records; ++i) {
    records_.push_back(reader.record(at, directory));
    if (!by_name_.emplace(records_.back().name, i).second) {
      reader.fail(fmt::format("record {} is there twice", records_.back().name));
    }
  }
}

const ZipRecord* ZipDirectory::find(std::string_view name) const {
  const auto it = by_name_.find(name);
  return it == by_name_.end() ? nullptr : &records_[it->second];
}

}  // namespace vq
