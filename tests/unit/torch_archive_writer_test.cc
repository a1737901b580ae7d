// PyTorch's archives, written: read back by torch_archive here, by PyTorch in torch_python_test.

#include "formats/torch_archive_writer.h"

#include <cstring>

#include "formats/torch_archive.h"
#include "formats/zip_directory.h"
#include "tests/unit/temp_folder.h"

namespace vq {
namespace {

// Bytes that differ from storage to storage and from place to place.
Bytes numbers(size_t count, uint8_t from) {
  Bytes bytes(count);
  for (size_t i = 0; i < count; ++i) bytes[i] = static_cast<uint8_t>(from + 7 * i);
  return bytes;
}

// Three groups, every type, an empty tensor, a single number, one that is there twice.
std::vector<TorchLayout> layouts() {
  std::vector<TorchLayout> all;
  uint8_t rows = 1;
  for (const DType dtype : {DType::f64, DType::f32, DType::f16, DType::bf16, DType::i64, DType::i32,
                            DType::i16, DType::i8, DType::u8})
    all.push_back({"model", std::string("a.") + dtype_name(dtype), dtype, {rows++, 300}, {}});
  all.push_back({"ema", "none", DType::f32, {0, 4}, {}});
  all.push_back({"ema", "one", DType::f64, {}, {}});
  all.push_back({"model", "again", DType::f32, {2, 300}, 1});
  all.push_back({"", "top", DType::u8, {3}, {}});
  return all;
}

Bytes content(const TorchLayout& tensor, size_t place) {
  size_t count = dtype_size(tensor.dtype);
  for (const int64_t side : tensor.shape) count *= static_cast<size_t>(side);
  return numbers(count, static_cast<uint8_t>(tensor.same_as.value_or(place)));
}

void write(const std::string& path, uint64_t zip64_from = UINT32_MAX) {
  const Json values = {{"epoch", 300}, {"rate", 0.25}, {"what", "a \"net\""},
                       {"less", -1},   {"yes", true},  {"no", nullptr}};
  const auto all = layouts();
  TorchArchiveWriter writer(path, all, values, true, zip64_from);
  for (size_t i = 0; i < all.size(); ++i) {
    if (all[i].same_as) continue;
    const Bytes bytes = content(all[i], i);
    for (size_t at = 0; at < bytes.size(); at += 1000)
      writer.write(std::span(bytes).subspan(at, std::min<size_t>(1000, bytes.size() - at)));
  }
  writer.close();
}

void expect_all(const std::string& path) {
  const TorchArchive file(path);
  const auto all = layouts();
  ASSERT_EQ(file.names().size(), all.size());
  for (size_t i = 0; i < all.size(); ++i) {
    const std::string name = (all[i].group.empty() ? "" : all[i].group + ".") + all[i].name;
    ASSERT_TRUE(file.contains(name)) << name;
    EXPECT_EQ(file.tensor(name).dtype, all[i].dtype) << name;
    EXPECT_EQ(file.tensor(name).shape, all[i].shape) << name;
    EXPECT_EQ(file.read(name), content(all[i], i)) << name;
  }
  EXPECT_EQ(file.tensor("model.again").storage, file.tensor("model.a.F32").storage);
  const Json values = {{"epoch", 300}, {"rate", 0.25}, {"what", "a \"net\""},
                       {"less", -1},   {"yes", true},  {"no", nullptr}};
  EXPECT_EQ(file.values(), values);
  EXPECT_TRUE(file.check());
}

TEST(TorchArchiveWriter, WhatIsWrittenIsReadBack) {
  const TempFolder folder;
  write(folder / "a.pth");
  expect_all(folder / "a.pth");
  write(folder / "b.pth");
  EXPECT_EQ(read_file(folder / "a.pth"), read_file(folder / "b.pth"));
}

TEST(TorchArchiveWriter, LargeSizesAndOffsetsTakeSixtyFourBits) {
  const TempFolder folder;
  write(folder / "small.pth");
  for (const uint64_t from : {1, 2000, 10000, 20000}) {
    write(folder / "large.pth", from);
    expect_all(folder / "large.pth");
    EXPECT_GT(read_file(folder / "large.pth").size(), read_file(folder / "small.pth").size());
  }
}

TEST(TorchArchiveWriter, NumbersAreAligned) {
  const TempFolder folder;
  for (const uint64_t from : {uint64_t{1}, uint64_t{UINT32_MAX}}) {
    write(folder / "a.pth", from);
    const Bytes bytes = read_file(folder / "a.pth");
    const ZipDirectory zip(bytes, "a.pth");
    EXPECT_EQ(zip.records().size(), layouts().size() - 1 + 3);  // data.pkl, byteorder, version
    EXPECT_EQ(zip.records().front().name, "archive/data.pkl");
    for (const ZipRecord& record : zip.records()) {
      EXPECT_TRUE(record.stored);
      EXPECT_EQ((record.bytes.data() - bytes.data()) % 64, 0) << record.name;
    }
  }
}

TEST(TorchArchiveWriter, AFileMayBeOneTensor) {
  const TempFolder folder;
  TorchArchiveWriter writer(folder / "a.pt", {{"", "", DType::i64, {5}, {}}}, Json::object(),
                            false);
  writer.write(numbers(40, 3));
  writer.close();
  const TorchArchive file(folder / "a.pt");
  EXPECT_EQ(file.names(), std::vector<std::string>{"tensor"});
  EXPECT_EQ(file.read("tensor"), numbers(40, 3));
}

TEST(TorchArchiveWriter, TooManyOrTooFewBytesMakeNoFile) {
  const TempFolder folder;
  const std::vector<TorchLayout> one = {{"m", "a", DType::u8, {4}, {}}};
  {
    TorchArchiveWriter writer(folder / "a.pth", one, Json::object(), false);
    writer.write(numbers(3, 0));
    EXPECT_NE(error_of([&] { writer.close(); }), "");
  }
  {
    TorchArchiveWriter writer(folder / "a.pth", one, Json::object(), false);
    EXPECT_NE(error_of([&] { writer.write(numbers(5, 0)); }), "");
  }
  const TorchLayout other = {"m", "b", DType::u8, {5}, 0};
  EXPECT_NE(error_of([&] {
              TorchArchiveWriter(folder / "a.pth", {one[0], other}, Json::object(), false);
            }),
            "");
  EXPECT_NE(error_of([&] { read_file(folder / "a.pth"); }), "");
}

}  // namespace
}  // namespace vq
