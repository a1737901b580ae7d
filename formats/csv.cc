#include "formats/csv.h"

#include <fmt/format.h>

#include "formats/error.h"

namespace vq {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// A line's end is LF or CRLF; a CR elsewhere is text.
std::string_view without_return(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

}  // namespace

std::string CsvReader::where() const {
  return fmt::format("{}: line {}", input_.name(), row_line_);
}

bool CsvReader::read_line() {
  if (!input_.read_line(text_, max_row_, &whole_)) return false;
  if (++line_ == 1 && text_.starts_with(kByteOrderMark)) text_.erase(0, kByteOrderMark.size());
  return true;
}

// At a quote; goes on to the next lines until it is closed, and stops behind the closing one.
void CsvReader::read_quoted(size_t& i, std::string& field) {
  for (++i;; ++i) {
    if (i == text_.size()) {
      // The row goes on: the line end belongs to the field.
      if (whole_) field += '\n';
      row_bytes_ += text_.size() + 1;
      if (row_bytes_ > max_row_) {
        throw Error(where(), fmt::format("the row is longer than {} bytes", max_row_),
                    "is a quote not closed?");
      }
      if (!whole_ || !read_line()) throw Error(where(), "a quote is not closed before the end");
      i = static_cast<size_t>(-1);
    } else if (text_[i] != '"') {
      field += text_[i];
    } else if (i + 1 < text_.size() && text_[i + 1] == '"') {
      field += text_[++i];
    } else {
      ++i;
      return;
    }
  }
}

bool CsvReader::next(std::vector<std::string>& fields) {
  do {
    if (!read_line()) return false;
  } while (without_return(text_).empty());
  row_line_ = line_;
  row_bytes_ = 0;
  fields.clear();
  for (size_t i = 0;; ++i) {
    std::string& field = fields.emplace_back();
    if (i < text_.size() && text_[i] == '"') {
      read_quoted(i, field);
      const std::string_view rest = without_return(std::string_view(text_).substr(i));
      if (rest.empty()) return true;
      if (rest[0] != separator_) {
        throw Error(where(), fmt::format("field {}: text follows its closing quote", fields.size()),
                    "a quote inside a field that is in quotes is written twice");
      }
    } else {
      const size_t end = text_.find(separator_, i);
      if (end == text_.npos) {
        field = without_return(std::string_view(text_).substr(i));
        return true;
      }
      field = text_.substr(i, end - i);
      i = end;
    }
  }
}

}  // namespace vq
