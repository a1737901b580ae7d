#include "formats/token_text.h"

#include <gtest/gtest.h>

#include "tests/unit/temp_folder.h"
#include "tests/unit/token_records.h"

namespace vq {
namespace {

TEST(TokenText, LinesAndBack) {
  for (const int k : {1, 2, 512, 65536}) {
    const GridHeader header = grid_header(3, 4, k, true);
    const std::string column = text_grid_column(header);
    for (const TokenRecord& record : random_records(header, 10)) {
      std::string line;
      append_text_record(line, record, column, k);
      ASSERT_EQ(line.back(), '\n');
      line.pop_back();
      EXPECT_EQ(text_line_kind(line), TextLine::record);
      EXPECT_EQ(grid_column_of(line), column);
      TokenRecord back;
      record_from_text_line(line, true, header, back, "x");
      EXPECT_TRUE(same_record(back, record)) << line;
    }
  }
}

TEST(TokenText, TheGridColumnIsAHeader) {
  const GridHeader header = grid_header(3, 4, 500, true);
  EXPECT_EQ(text_grid_column(header), "3x4:500_:0f3a9c01d2e4b576");
  const GridHeader back = header_from_grid_column("3x4:500_:0f3a9c01d2e4b576", "x");
  EXPECT_EQ(back.height, 3);
  EXPECT_EQ(back.width, 4);
  EXPECT_EQ(back.codebook_size, 500);
  EXPECT_TRUE(back.mask);
  EXPECT_EQ(back.codec, "0f3a9c01d2e4b576");
  EXPECT_EQ(header_from_grid_column("1x1:1:", "x").codec, "");
  EXPECT_FALSE(header_from_grid_column("1x1:1:", "x").mask);
  for (const char* bad : {"", "3x4", "3x4:500", "x4:500:", "3x:500:", "3x4::", "3x4:_:",
                          "-1x4:500:", "3x4:500:0f3a9c01:", "3x4:500:XYZ",
                          "3x4:500 :", "99999999999x1:2:", "0x4:5:", "300x300:5:"}) {
    EXPECT_NE(error_of([&] { header_from_grid_column(bad, "x"); }), "no error") << bad;
  }
}

TEST(TokenText, KindsOfLines) {
  EXPECT_EQ(text_line_kind(""), TextLine::nothing);
  EXPECT_EQ(text_line_kind("\r"), TextLine::nothing);
  EXPECT_EQ(text_line_kind("# a comment"), TextLine::nothing);
  EXPECT_EQ(text_line_kind("#{\"format\":"), TextLine::header);
  EXPECT_EQ(text_line_kind("#1\t1x1:2:\t0\t{}"), TextLine::record);
  EXPECT_EQ(text_line_kind("hello"), TextLine::record);
}

// Cutting the last line anywhere gives an error, or at most what was there: never other tokens.
TEST(TokenText, ALineCutShortIsNeverARecord) {
  const GridHeader header = grid_header(1, 3, 512, true);
  const std::string line = "k\t1x3:512_:0f3a9c01\t5 _ 123\t{\"a\":{\"b\":1}}";
  TokenRecord record;
  for (size_t n = 0; n < line.size(); ++n) {
    EXPECT_NE(
        error_of([&] { record_from_text_line(line.substr(0, n), false, header, record, "x"); }),
        "no error")
        << line.substr(0, n);
  }
  record_from_text_line(line, false, header, record, "x");
  EXPECT_EQ(record.tokens, (std::vector<int32_t>{5, 512, 123}));
}

}  // namespace
}  // namespace vq
