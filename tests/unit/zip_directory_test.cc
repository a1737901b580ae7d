#include "formats/zip_directory.h"

#include "tests/unit/temp_folder.h"
#include "tests/unit/torch_files.h"

namespace vq {
namespace {

using torch_files::ZipMaker;
using torch_files::ZipOptions;

Bytes two_records(ZipOptions options = {}) {
  ZipMaker zip(options);
  zip.add("a/one", "first");
  zip.add("a/two", "");
  return zip.finish();
}

std::string error_for(const Bytes& bytes) {
  return error_of([&] { ZipDirectory zip(bytes, "m.pth"); });
}

TEST(ZipDirectory, RecordsAndTheirBytes) {
  for (const bool zip64 : {false, true}) {
    Bytes bytes = two_records({.zip64 = zip64});
    const ZipDirectory zip(bytes, "m.pth");
    ASSERT_EQ(zip.records().size(), 2u);
    EXPECT_EQ(zip.records()[1].name, "a/two");
    EXPECT_EQ(as_text(zip.find("a/one")->bytes), "first");
    EXPECT_TRUE(zip.find("a/one")->stored);
    EXPECT_EQ(zip.find("a/one")->crc, torch_files::crc_of("first"));
    EXPECT_EQ(zip.find("a"), nullptr);
  }
}

TEST(ZipDirectory, ACommentMayFollow) {
  Bytes bytes = two_records();
  bytes[bytes.size() - 2] = 3;
  for (const char c : {'P', 'K', '!'}) bytes.push_back(static_cast<uint8_t>(c));
  EXPECT_EQ(ZipDirectory(bytes, "m.pth").records().size(), 2u);
  bytes.push_back(0);
  EXPECT_NE(error_for(bytes), "no error");
}

TEST(ZipDirectory, EveryRuleHasItsSentence) {
  EXPECT_EQ(error_for({}),
            "m.pth: has no zip directory at its end: it is cut off, or not a zip archive");
  EXPECT_EQ(error_for(two_records({.flags = 1})), "m.pth: record a/one is encrypted");
  const auto changed = [](size_t from_end, uint8_t to) {
    Bytes bytes = two_records();
    bytes[bytes.size() - from_end] = to;
    return error_for(bytes);
  };
  EXPECT_EQ(changed(18, 1), "m.pth: is one part of a zip archive in several parts");
  EXPECT_EQ(changed(12, 3), "m.pth: its zip directory is damaged at byte 185");
  EXPECT_EQ(changed(3, 1), "m.pth: its zip directory would lie outside the file");
  ZipMaker twice;
  twice.add("a", "");
  twice.add("a", "");
  EXPECT_EQ(error_for(twice.finish()), "m.pth: record a is there twice");
  ZipMaker control;
  control.add("a\n", "");
  EXPECT_EQ(error_for(control.finish()), "m.pth: a record has a name that is not plain text");
  Bytes other = two_records();
  other[30] = 'b';
  EXPECT_EQ(error_for(other), "m.pth: record a/one has another name at its data");
  other = two_records();
  other[0] = 0;
  EXPECT_EQ(error_for(other), "m.pth: record a/one is not where the zip directory says");
}

TEST(ZipDirectory, EveryCutIsNoticedAndNoFlippedByteReadsOutside) {
  for (const bool zip64 : {false, true}) {
    const Bytes whole = two_records({.zip64 = zip64});
    for (size_t n = 0; n < whole.size(); ++n) {
      EXPECT_NE(error_for(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(n))),
                "no error");
      for (const uint8_t flip : {0xFF, 0x01, 0x80}) {
        Bytes bytes = whole;
        bytes[n] ^= flip;
        error_of([&] {
          uint64_t sum = 0;
          const ZipDirectory zip(bytes, "m.pth");
          for (const ZipRecord& record : zip.records()) {
            for (const uint8_t b : record.bytes) sum += b;
          }
          EXPECT_LT(sum, UINT64_MAX);
        });
      }
    }
  }
}

}  // namespace
}  // namespace vq
