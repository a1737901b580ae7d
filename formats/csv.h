// Rows of separated values, as RFC 4180 writes them.
//
// A field in quotes may hold separators, line ends and quotes (written twice). A quote inside of a
// field that does not begin with one stands for itself, as spreadsheets have it. Lines end in LF or
// CRLF; a byte order mark before the first row and empty lines are passed over.
//
// Law: parse(write(rows)) == rows, whatever the fields hold.   (csv_test.cc)
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "formats/bytes.h"

namespace vq {

class CsvReader {
 public:
  // The input must outlive the reader. separator: ',' or '\t'.
  CsvReader(Input& input, char separator, size_t max_row = 16 << 20)
      : input_(input), separator_(separator), max_row_(max_row) {}

  // The next row; false at the end. Throws vq::Error at its line: a quote that is never closed,
  // text after a closing quote, a row longer than max_row bytes.
  bool next(std::vector<std::string>& fields);

  uint64_t line() const { return row_line_; }  // the last row began here; the first line is 1
  std::string where() const;                   // "birds.csv: line 3"

 private:
  bool read_line();
  void read_quoted(size_t& i, std::string& field);

  Input& input_;
  char separator_;
  size_t max_row_;
  uint64_t line_ = 0, row_line_ = 0;
  size_t row_bytes_ = 0;
  bool whole_ = false;  // did the line that was read end in a line end?
  std::string text_;
};

}  // namespace vq
