#include "formats/safetensors.h"

#include <cstring>

#include "formats/bytes.h"
#include "tests/unit/temp_folder.h"

namespace vq {
namespace {

// A file with any header and so many bytes of data.
std::string raw_file(const std::string& header, size_t data_bytes) {
  Bytes length;
  append_u64(length, header.size());
  return std::string(as_text(length)) + header + std::string(data_bytes, 'x');
}

std::string error_for(const std::string& content) {
  const TempFolder folder;
  const std::string path = folder.write("m.safetensors", content);
  return error_of([&] { SafetensorsFile file(path); }, folder.path());
}

std::string error_for_header(const std::string& header, size_t data_bytes = 8) {
  return error_for(raw_file(header, data_bytes));
}

template <class T>
std::span<const uint8_t> bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const uint8_t*>(values.data()), values.size() * sizeof(T)};
}

TEST(Safetensors, RoundTrip) {
  const TempFolder folder;
  const std::string path = folder / "m.safetensors";
  const std::vector<float> weights = {1, 2, 3, 4, 5, 6};
  const std::vector<int64_t> counts = {-7, 8};
  const std::vector<uint8_t> flags = {1, 0, 1};
  write_safetensors(path,
                    {{"b.weight", DType::f32, {2, 3}, bytes_of(weights)},
                     {"a \"quoted\" ü", DType::i64, {2}, bytes_of(counts)},
                     {"scalar", DType::f32, {}, bytes_of(weights).subspan(0, 4)},
                     {"empty", DType::bf16, {0, 4}, {}},
                     {"flags", DType::boolean, {3}, flags}},
                    {{"kind", "codec"}, {"args", "{\"f\":8}"}}, false);

  const SafetensorsFile file(path);
  EXPECT_EQ(file.path(), path);
  EXPECT_EQ(file.names(), (std::vector<std::string>{"b.weight", "a \"quoted\" ü", "scalar",
                                                   "empty",
                                                    "flags"}));  // in the order of the data
  EXPECT_EQ(file.metadata().at("args"), "{\"f\":8}");
  EXPECT_TRUE(file.contains("scalar"));
  EXPECT_FALSE(file.contains("scala"));
  const TensorView view = file.tensor("b.weight");
  EXPECT_EQ(view.dtype, DType::f32);
  EXPECT_EQ(view.shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(0, std::memcmp(view.bytes.data(), weights.data(), view.bytes.size()));
  EXPECT_EQ(file.tensor("empty").bytes.size(), 0u);
  EXPECT_EQ(file.tensor("scalar").shape.size(), 0u);
  EXPECT_EQ(error_of([&] { file.tensor("c"); }, folder.path()), "m.safetensors: has no tensor c");
}

TEST(Safetensors, DataBeginAtAMultipleOf64AndBytesAreTheSameEachTime) {
  const TempFolder folder;
  const std::vector<float> weights(16, 0.5f);
  for (const std::string name : {"x", "a.longer.name", "yet.another.one.of.some.length"}) {
    const std::vector<TensorToWrite> tensors = {{name, DType::f32, {16}, bytes_of(weights)}};
    write_safetensors(folder / "one", tensors, {{"z", "1"}, {"a", "2"}}, true);
    write_safetensors(folder / "two", tensors, {{"a", "2"}, {"z", "1"}}, true);
    EXPECT_EQ(file_content(folder / "one"), file_content(folder / "two"));
    const SafetensorsFile file(folder / "one");
    const TensorView view = file.tensor(name);
    EXPECT_TRUE(view.is_aligned());
    EXPECT_EQ(reinterpret_cast<uintptr_t>(view.bytes.data()) % 64, 0u);
  }
}

TEST(Safetensors, WritingIntoTheMapIsPrivate) {
  const TempFolder folder;
  const std::string path = folder / "m.safetensors";
  const std::vector<float> weights = {1};
  write_safetensors(path, {{"w", DType::f32, {1}, bytes_of(weights)}}, {}, false);
  const std::string before = file_content(path);
  std::shared_ptr<const void> mapping;
  std::span<const uint8_t> bytes;
  {
    const SafetensorsFile file(path);
    mapping = file.mapping();
    bytes = file.tensor("w").bytes;
  }
  *const_cast<uint8_t*>(bytes.data()) ^= 0xFF;  // the map outlives the file object, and is writable
  EXPECT_NE(bytes[0], static_cast<uint8_t>(before[before.size() - 4]));
  EXPECT_EQ(file_content(path), before);
}

TEST(Safetensors, NoTensorsAndNoMetadataIsAFile) {
  const TempFolder folder;
  write_safetensors(folder / "m", {}, {}, false);
  const SafetensorsFile file(folder / "m");
  EXPECT_TRUE(file.names().empty());
  EXPECT_TRUE(file.metadata().empty());
}

TEST(Safetensors, OtherPeoplesFilesNeedNoAlignment) {
  const TempFolder folder;
  const std::string path = folder.write(
      "m", raw_file(R"({"w":{"shape":[2],"data_offsets":[0,8],"dtype":"F32","extra":1}})", 8));
  EXPECT_EQ(SafetensorsFile(path).tensor("w").bytes.size(), 8u);
}

// The vocabulary of damage: each rule of the format, broken once.
TEST(Safetensors, EveryRuleHasItsSentence) {
  EXPECT_EQ(error_for(""), "m.safetensors: has 0 bytes, too few for a safetensors file");
  EXPECT_EQ(error_for("1234567"), "m.safetensors: has 7 bytes, too few for a safetensors file");
  EXPECT_EQ(error_for("\xff\xff\xff\xff\xff\xff\xff\xff{}"),
            "m.safetensors: is not a safetensors file: its header would have 18446744073709551615 "
            "bytes, the limit is 100000000");
  EXPECT_EQ(error_for(raw_file("{}", 0).substr(0, 9)),
            "m.safetensors: the file ends in its header: 1 bytes of 2");
  EXPECT_EQ(error_for_header(" {}", 0),
            "m.safetensors: is not a safetensors file: its header is not a JSON object");
  EXPECT_EQ(error_for_header("{\"a\":}", 0),
            "m.safetensors: the safetensors header is not valid JSON at byte 6");
  EXPECT_EQ(error_for_header("{\"a\":1e999}", 0),
            "m.safetensors: the safetensors header holds a number that is out of range");
  EXPECT_EQ(error_for_header("{\"\xff\":1}", 0),
            "m.safetensors: the safetensors header is not valid JSON at byte 3");
  EXPECT_EQ(error_for_header("{} x", 0),
            "m.safetensors: the safetensors header is not valid JSON at byte 4");
  EXPECT_EQ(error_for_header("{\"__metadata__\":1}", 0),
            "m.safetensors: __metadata__ in the header is not an object");
  EXPECT_EQ(error_for_header("{\"__metadata__\":{\"a\":1}}", 0),
            "m.safetensors: __metadata__ \"a\" in the header is not a string");
  EXPECT_EQ(error_for_header("{}", 3), "m.safetensors: has 3 bytes after its last tensor");
}

TEST(Safetensors, EveryRuleOfATensorHasItsSentence) {
  const auto entry = [](const std::string& dtype, const std::string& shape,
                        const std::string& offsets) {
    return "{\"dtype\":\"" + dtype + "\",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}";
  };
  const auto error = [&](const std::string& text) {
    return error_for_header("{\"w\":" + text + "}");
  };
  const std::string at = "m.safetensors: tensor w: ";
  EXPECT_EQ(error("1"), at + "its entry in the header is not an object");
  EXPECT_EQ(error("{}"), at + "has no \"dtype\"");
  EXPECT_EQ(error(entry("F8", "[8]", "[0,8]")), at + "has the unknown type F8");
  EXPECT_EQ(error("{\"dtype\":\"U8\"}"), at + "\"shape\" is not a list");
  EXPECT_EQ(error(entry("U8", "[8.0]", "[0,8]")),
            at + "\"shape\" holds something else than whole numbers");
  EXPECT_EQ(error(entry("U8", "[-8]", "[0,8]")),
            at + "\"shape\" holds something else than whole numbers");
  EXPECT_EQ(error(entry("U8", "[9223372036854775808]", "[0,8]")),
            at + "\"shape\" holds something else than whole numbers");
  EXPECT_EQ(error(entry("U8", "[8]", "[0,8,9]")), at + "\"data_offsets\" is not [begin, end]");
  EXPECT_EQ(error(entry("U8", "[8]", "[8,0]")), at + "\"data_offsets\" is not [begin, end]");
  EXPECT_EQ(error(entry("F32", "[4611686018427387904,4]", "[0,8]")),
            at + "the shape [4611686018427387904,4] is too large");
  EXPECT_EQ(error(entry("F32", "[4]", "[0,8]")), at + "F32 [4] needs 16 bytes, its offsets span 8");
  EXPECT_EQ(error(entry("U8", "[9]", "[0,9]")),
            at + "ends at byte 9 of the data, but the file has only 8");
  EXPECT_EQ(error(entry("U8", "[7]", "[1,8]")), at + "leaves 1 bytes unused before it");
  EXPECT_EQ(error(entry("U8", "[7]", "[0,7]")), "m.safetensors: has 1 bytes after its last tensor");
  EXPECT_EQ(error(entry("U8", "[8]", "[0,8]") + ",\"v\":" + entry("U8", "[5]", "[0,5]")),
            at + "overlaps the tensor before it by 5 bytes");
  EXPECT_EQ(error(entry("U8", "[8]", "[0,8]") + ",\"w\":" + entry("U8", "[8]", "[0,8]")),
            "m.safetensors: the tensor w is there twice");
  // A zero anywhere makes the product zero, whatever stands beside it.
  EXPECT_EQ(error(entry("U8", "[8]", "[0,8]") +
                  ",\"e\":" + entry("F32", "[4611686018427387904,4,0]", "[8,8]")),
            "no error");
}

TEST(Safetensors, EveryCutIsNoticed) {
  const TempFolder folder;
  const std::vector<float> weights = {1, 2};
  write_safetensors(folder / "m", {{"w", DType::f32, {2}, bytes_of(weights)}}, {}, false);
  const std::string whole = file_content(folder / "m");
  for (size_t n = 0; n < whole.size(); ++n) {
    EXPECT_NE(error_for(whole.substr(0, n)), "no error") << n;
  }
  EXPECT_NE(error_for(whole + "x"), "no error");
}

TEST(Safetensors, OnlyRegularFilesAreMapped) {
  const TempFolder folder;
  EXPECT_EQ(error_of([&] { SafetensorsFile file(folder / "none"); }, folder.path()),
            "none: cannot open: No such file or directory");
  EXPECT_EQ(error_of([&] { SafetensorsFile file(folder.path()); }),
            folder.path() + ": is a folder, not a safetensors file");
  EXPECT_EQ(error_of([] { SafetensorsFile file("/dev/null"); }),
            "/dev/null: is not a regular file, and safetensors files are memory-mapped");
}

TEST(Safetensors, AnotherKindOfFileGetsAHint) {
  const TempFolder folder;
  const std::string path = folder.write("m.pt", "PK\x03\x04 and more than eight bytes");
  try {
    SafetensorsFile file(path);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(error.hint().find("vq-import"), std::string::npos);
  }
}

TEST(Safetensors, TheWriterChecksWhatItIsGiven) {
  const TempFolder folder;
  const std::vector<uint8_t> four(4);
  const auto error = [&](const std::vector<TensorToWrite>& tensors,
                         const std::map<std::string, std::string>& metadata = {}) {
    return error_of([&] { write_safetensors(folder / "m", tensors, metadata, false); },
                    folder.path());
  };
  EXPECT_EQ(error({{"w", DType::f32, {2}, four}}), "m: tensor w: F32 [2] does not fit its 4 bytes");
  EXPECT_EQ(error({{"w", DType::u8, {-4}, four}}), "m: tensor w: U8 [-4] does not fit its 4 bytes");
  EXPECT_EQ(error({{"w", DType::u8, {4}, four}, {"w", DType::u8, {4}, four}}),
            "m: tensor w: is given twice");
  EXPECT_EQ(error({{"__metadata__", DType::u8, {4}, four}}),
            "m: tensor __metadata__: is not a valid name");
  EXPECT_EQ(error({{"w", DType::u8, {4}, four}}, {{"a", "\xff"}}),
            "m: metadata that is not UTF-8 text");
  EXPECT_FALSE(std::filesystem::exists(folder / "m"));
  EXPECT_FALSE(std::filesystem::exists(folder / "m.part"));
  EXPECT_EQ(error({{"w", DType::u8, {4}, four}}), "no error");
  EXPECT_EQ(error({{"w", DType::u8, {4}, four}}), "m: exists already");
}

}  // namespace
}  // namespace vq
