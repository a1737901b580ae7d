// The text spelling of token grids: a header line, then one record a line, each line enough by
// itself, so that grep, sort, shuf, head and awk may do what they like (token_grid.md, "Text").
//
//   #{"format":"vq-token-grid","version":1,...}
//   bird_0042 TAB 2x3:512_:0f3a...(16 digits) TAB 5 17 _ 3 3 511 TAB {"caption":"a small red bird"}
//
// Laws: parsing a written line gives the same record; a line cut short is never a record.
#pragma once

#include <string>
#include <string_view>

#include "formats/token_grid.h"

namespace vq {

inline constexpr size_t kMaxTextLine = 1 << 20;

enum class TextLine { nothing, header, record };  // nothing: empty, or a comment
TextLine text_line_kind(std::string_view line);

// Without line end, in both directions.
std::string text_header_line(const GridHeader& header, bool history);
GridHeader header_from_text_line(std::string_view line, const std::string& where);

// The second column, "2x3:512_:0f3a...": what a record needs to be understood without a header
// line.
std::string text_grid_column(const GridHeader& header);
GridHeader header_from_grid_column(std::string_view column, const std::string& where);

// The second column of a record line; empty when there is none.
std::string_view grid_column_of(std::string_view line);

// Appends the line, with its line end. `column` is text_grid_column of the header.
void append_text_record(std::string& out, const TokenRecord& record, std::string_view column,
                        int codebook_size);
// `ended`: was there a line end? Without one only a line that cannot have been cut is accepted.
// Throws vq::Error at `where`.
void record_from_text_line(std::string_view line, bool ended, const GridHeader& header,
                           TokenRecord& record, const std::string& where);

}  // namespace vq
