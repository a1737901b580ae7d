#include "formats/npz.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <cstring>

#include "temp_folder.h"

namespace vq {
namespace {

template <typename T>
std::span<const uint8_t> bytes_of(const std::vector<T>& numbers) {
  return {reinterpret_cast<const uint8_t*>(numbers.data()), numbers.size() * sizeof(T)};
}

// One .npy as NumPy writes it.
std::string npy(const std::string& descr, const std::string& shape, std::string_view data,
                const std::string& order = "False") {
  std::string header =
      "{'descr': " + descr + ", 'fortran_order': " + order + ", 'shape': " + shape + ", }";
  header.resize((10 + header.size() + 64) / 64 * 64 - 11, ' ');
  header += '\n';
  std::string file("\x93NUMPY\x01\x00", 8);
  file += static_cast<char>(header.size() & 255);
  file += static_cast<char>(header.size() >> 8);
  return file + header + std::string(data);
}

// A zip archive of one member, compressed or not.
std::string zip(const std::string& name, const std::string& data, bool compressed) {
  std::string packed = data;
  if (compressed) {
    packed.resize(data.size() + 100);
    z_stream stream{};
    deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
    stream.avail_in = static_cast<uInt>(data.size());
    stream.next_out = reinterpret_cast<Bytef*>(packed.data());
    stream.avail_out = static_cast<uInt>(packed.size());
    deflate(&stream, Z_FINISH);
    packed.resize(stream.total_out);
    deflateEnd(&stream);
  }
  const auto crc = static_cast<uint32_t>(
      crc32(0, reinterpret_cast<const Bytef*>(data.data()), static_cast<uInt>(data.size())));
  Bytes common, out;
  append_u16(common, 20), append_u16(common, 0), append_u16(common, compressed ? 8 : 0);
  append_u32(common, 0), append_u32(common, crc);
  append_u32(common, static_cast<uint32_t>(packed.size()));
  append_u32(common, static_cast<uint32_t>(data.size()));
  append_u16(common, static_cast<uint16_t>(name.size())), append_u16(common, 0);
  const auto add = [&](std::string_view text) { out.insert(out.end(), text.begin(), text.end()); };
  append_u32(out, 0x04034B50);
  add(as_text(common)), add(name), add(packed);
  const auto directory = static_cast<uint32_t>(out.size());
  append_u32(out, 0x02014B50), append_u16(out, 20);
  add(as_text(common));
  append_u16(out, 0), append_u16(out, 0), append_u16(out, 0), append_u32(out, 0);
  append_u32(out, 0);
  add(name);
  const auto size = static_cast<uint32_t>(out.size()) - directory;
  append_u32(out, 0x06054B50), append_u32(out, 0), append_u16(out, 1), append_u16(out, 1);
  append_u32(out, size), append_u32(out, directory), append_u16(out, 0);
  return std::string(as_text(out));
}

std::string_view text_of(const std::vector<double>& numbers) { return as_text(bytes_of(numbers)); }

TEST(Npz, GivesBackWhatWasWritten) {
  const TempFolder folder;
  const std::vector<double> a = {1, 2, 3, 4, 5, -6e300};
  const std::vector<float> b = {0.5f};
  const std::vector<int64_t> c = {-7};
  const std::vector<uint8_t> d = {'h', 'i'};
  write_npz(Output::open(folder / "x.npz", false), {{"a", DType::f64, {2, 3}, bytes_of(a)},
                                                    {"b", DType::f32, {1}, bytes_of(b)},
                                                    {"c", DType::i64, {}, bytes_of(c)},
                                                    {"d", DType::u8, {2}, bytes_of(d)}});
  const NpzFile file(folder / "x.npz");
  EXPECT_EQ(file.names(), (std::vector<std::string>{"a", "b", "c", "d"}));
  EXPECT_EQ(file.array("a").shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(file.numbers("a"), a);
  EXPECT_EQ(file.numbers("b"), (std::vector<double>{0.5}));
  EXPECT_EQ(file.array("c").shape.size(), 0u);
  EXPECT_EQ(file.numbers("c"), (std::vector<double>{-7}));
  EXPECT_EQ(file.text("d"), "hi");
  EXPECT_TRUE(file.contains("d"));
  EXPECT_FALSE(file.contains("e"));
  EXPECT_NE(error_of([&] { file.array("e"); }).find("no array 'e'"), std::string::npos);
  EXPECT_NE(error_of([&] { file.numbers("a", 5); }).find("more than"), std::string::npos);
}

TEST(Npz, ReadsCompressedAndColumnsFirst) {
  const TempFolder folder;
  std::vector<double> many(5000);
  for (size_t i = 0; i < many.size(); ++i) many[i] = static_cast<double>(i % 7);
  const std::string packed =
      folder.write("c.npz", zip("x.npy", npy("'<f8'", "(5000,)", text_of(many)), true));
  EXPECT_EQ(NpzFile(packed).numbers("x"), many);
  const std::vector<double> columns = {1, 4, 2, 5, 3, 6};
  const std::string file = npy("'<f8'", "(2, 3)", text_of(columns), "True");
  EXPECT_EQ(NpzFile(folder.write("f.npz", zip("x.npy", file, false))).numbers("x"),
            (std::vector<double>{1, 2, 3, 4, 5, 6}));
  // 1, -2 and the smallest number of 16 bits.
  const std::string halves("\x00\x3c\x00\xc0\x01\x00", 6);
  EXPECT_EQ(NpzFile(folder.write("h.npz", zip("x.npy", npy("'<f2'", "(3,)", halves), false)))
                .numbers("x"),
            (std::vector<double>{1, -2, 0x1p-24}));
}

TEST(Npz, SaysWhatIsWrongWithAFile) {
  const TempFolder folder;
  const auto error = [&](const std::string& content) {
    const std::string path = folder.write("x.npz", content);
    return error_of([&] { NpzFile(path).array("x"); }, folder.path());
  };
  const std::string good = zip("x.npy", npy("'<f8'", "(2,)", std::string(16, 'a')), false);
  EXPECT_EQ(error(good), "no error");
  EXPECT_NE(error("hello").find("is not an archive of NumPy"), std::string::npos);
  EXPECT_NE(error(zip("readme", "x", false)).find("without arrays"), std::string::npos);
  EXPECT_NE(error(zip("x.npy", npy("'<f8'", "(3,)", std::string(16, 'a')), false)).find("24"),
            std::string::npos);
  EXPECT_NE(error(zip("x.npy", npy("'>f8'", "(2,)", std::string(16, 'a')), false)).find("'>f8'"),
            std::string::npos);
  EXPECT_NE(error(zip("x.npy", npy("'|O'", "(2,)", std::string(16, 'a')), false)).find("'|O'"),
            std::string::npos);
  EXPECT_NE(error(zip("x.npy", npy("[('a', '<f8')]", "(2,)", std::string(16, 'a')), false))
                .find("structure"),
            std::string::npos);
  EXPECT_NE(error(zip("x.npy", npy("'<f8'", "(4611686018427387904, 8)", ""), false))
                .find("larger than any memory"),
            std::string::npos);
  EXPECT_NE(error(zip("x.npy", "not an array", true)).find("not an array"), std::string::npos);
  std::string damaged = good;
  damaged[good.find("aaaa")] = 'b';
  EXPECT_NE(error(damaged).find("checksum"), std::string::npos);
  for (size_t n = 0; n < good.size(); n += 7) EXPECT_NE(error(good.substr(0, n)), "no error") << n;
}

}  // namespace
}  // namespace vq
