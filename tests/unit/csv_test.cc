#include "formats/csv.h"

#include <gtest/gtest.h>

#include "formats/error.h"
#include "tests/unit/temp_folder.h"

namespace vq {
namespace {

using Row = std::vector<std::string>;

Input input_of(std::string_view text) {
  const auto bytes = as_bytes(text);
  return Input::memory(Bytes(bytes.begin(), bytes.end()), "list");
}

std::vector<Row> parse(std::string_view text, char separator = ',', size_t max_row = 1 << 20) {
  Input input = input_of(text);
  CsvReader reader(input, separator, max_row);
  std::vector<Row> rows;
  for (Row row; reader.next(row);) rows.push_back(row);
  return rows;
}

TEST(Csv, FieldsAndLineEnds) {
  const std::vector<Row> wanted = {{"a", "b"}, {"1", ""}, {"", ""}};
  EXPECT_EQ(parse("a,b\n1,\n,\n"), wanted);
  EXPECT_EQ(parse("a,b\r\n1,\r\n,"), wanted);
  EXPECT_EQ(parse("\xEF\xBB\xBF\"a\",b\r\n\r\n\n\"1\",\"\"\r\n,"), wanted);
  EXPECT_EQ(parse("a\tb\n1\t\n\t\n", '\t'), wanted);
  EXPECT_EQ(parse(""), std::vector<Row>());
  EXPECT_EQ(parse("\xEF\xBB\xBF\r\n"), std::vector<Row>());
}

TEST(Csv, QuotesHoldSeparatorsQuotesAndLineEnds) {
  EXPECT_EQ(parse("\"a, \"\"b\"\"\r\nc\",d\n"), (std::vector<Row>{{"a, \"b\"\r\nc", "d"}}));
  EXPECT_EQ(parse("\"\n\n\"\n"), (std::vector<Row>{{"\n\n"}}));
  EXPECT_EQ(parse("5\" tall,a\"b\"\n"), (std::vector<Row>{{"5\" tall", "a\"b\""}}));
  EXPECT_EQ(parse("\"\"\"\"\n"), (std::vector<Row>{{"\""}}));
}

TEST(Csv, WhatWasWrittenIsRead) {
  const std::vector<std::string> parts = {"",     "a",  ",",  "\"",          "\n",
                                          "\r\n", "\r", "\t", "\xEF\xBB\xBF"};
  std::string text;
  std::vector<Row> rows;
  for (const auto& a : parts) {
    for (const auto& b : parts) {
      for (const auto& c : parts) {
        const Row row = {a + b + c, c + a};
        for (size_t i = 0; i < row.size(); ++i) {
          text += i ? "," : "";
          text += '"';
          for (char ch : row[i]) text += ch == '"' ? "\"\"" : std::string(1, ch);
          text += '"';
        }
        text += "\r\n";
        rows.push_back(row);
      }
    }
  }
  EXPECT_EQ(parse(text), rows);
}

TEST(Csv, LinesAreCountedAsAnEditorCountsThem) {
  Input input = input_of("a\n\n\"b\nc\"\nd\n");
  CsvReader reader(input, ',');
  std::vector<uint64_t> lines;
  for (Row row; reader.next(row);) lines.push_back(reader.line());
  EXPECT_EQ(lines, (std::vector<uint64_t>{1, 3, 5}));
}

TEST(Csv, MistakesNameTheirLine) {
  EXPECT_EQ(error_of([] { parse("a\n\"b\nc\n"); }),
            "list: line 2: a quote is not closed before the end");
  EXPECT_EQ(error_of([] { parse("a\nx,\"b\"c\n"); }),
            "list: line 2: field 2: text follows its closing quote");
  EXPECT_EQ(error_of([] { parse("a\n\"bbbbb\nccccc\n\"\n", ',', 8); }),
            "list: line 2: the row is longer than 8 bytes");
  EXPECT_EQ(error_of([] { parse("aaaaaaaaa\n", ',', 8); }), "list: a line is longer than 8 bytes");
}

}  // namespace
}  // namespace vq
