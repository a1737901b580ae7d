#include "formats/token_header.h"

#include <gtest/gtest.h>

#include "tests/unit/temp_folder.h"
#include "tests/unit/token_records.h"

namespace vq {
namespace {

TEST(TokenHeader, LineAndBack) {
  GridHeader header = grid_header(3, 5, 300, true);
  header.history.push_back({{"tool", "vq-encode"}, {"arguments", {"-m", "c d"}}});
  header.more["note"] = {{"z", 1}, {"a", 2}};
  const std::string line = header_to_line(header, true);
  EXPECT_TRUE(line.starts_with(kHeaderStart));
  const GridHeader back = header_from_line(line, "x");
  EXPECT_EQ(header_to_line(back, true), line);
  EXPECT_EQ(back.history, header.history);
  EXPECT_EQ(back.more, header.more);
  EXPECT_EQ(header_to_line(header, false).find("history"), std::string::npos);
}

TEST(TokenHeader, RefusesWhatBreaksALimit) {
  const auto refused = [](auto edit) {
    GridHeader header = grid_header(2, 3, 512, false);
    edit(header);
    return error_of([&] { header_to_line(header, true); });
  };
  EXPECT_EQ(refused([](GridHeader& h) { h.height = 0; }), "header: height 0 is outside 1..65535");
  EXPECT_EQ(refused([](GridHeader& h) { h.height = h.width = 257; }),
            "header: a grid of 257x257 has more than 65536 tokens");
  EXPECT_EQ(refused([](GridHeader& h) { h.codebook_size = 65537; }),
            "header: codebook size 65537 is outside 1..65536");
  EXPECT_EQ(refused([](GridHeader& h) { h.codec = "c.safetensors"; }),
            "header: codec 'c.safetensors' is not 8 to 128 digits 0-9a-f");
  EXPECT_EQ(refused([](GridHeader& h) { h.more["mask"] = 1; }), "header: \"mask\" is given twice");
  EXPECT_NE(refused([](GridHeader& h) { h.more["x"] = std::string(kMaxLine, 'x'); }), "no error");
}

TEST(TokenHeader, EndMark) {
  const EndMark end = end_from_line(end_to_line({118, 3}), "");
  EXPECT_EQ(end.records, 118u);
  EXPECT_EQ(end.blocks, 3u);
  EXPECT_TRUE(end_to_line(end).starts_with(kEndStart));
  for (const char* bad : {"{}", "[1]", R"({"end":true,"records":-1,"blocks":0})", "7",
                          R"({"end":true,"records":1.5,"blocks":0})"}) {
    EXPECT_NE(error_of([&] { end_from_line(bad, "x"); }), "no error") << bad;
  }
}

TEST(TokenHeader, OneCodecMayBeNamedByItsFirstDigits) {
  EXPECT_TRUE(same_codec("", ""));
  EXPECT_TRUE(same_codec("0123456789", "0123456789"));
  EXPECT_TRUE(same_codec("01234567", "0123456789"));
  EXPECT_FALSE(same_codec("0123456", "0123456789"));
  EXPECT_FALSE(same_codec("", "0123456789"));
  EXPECT_FALSE(same_codec("01234567", "01234568"));
}

TEST(TokenHeader, StreamsThatDoNotFit) {
  const GridHeader first = grid_header(2, 3, 512, false);
  GridHeader next = first;
  next.mask = true;
  next.more["x"] = 1;
  EXPECT_EQ(error_of([&] { check_compatible(first, next, "b"); }), "no error");
  next.width = 2;
  EXPECT_EQ(error_of([&] { check_compatible(first, next, "b.vqt"); }),
            "b.vqt: has grids of 2x2 where the tokens before it have 2x3");
  next = first;
  next.codec = "ffffffffffffffffffff";
  EXPECT_EQ(error_of([&] { check_compatible(first, next, "b.vqt"); }),
            "b.vqt: was made with codec ffffffffffffffff, the tokens before it with codec "
            "0f3a9c01d2e4b576");
}

}  // namespace
}  // namespace vq
