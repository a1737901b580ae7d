// JSON as text, faster: for what the JSON of records mostly is, flat objects of plain ASCII strings
// and whole numbers. Whatever else a value holds goes through json.h and comes out the same.
//
// Laws: parse_json_into gives what parse_json gives; append_json appends what dump_json gives.
// (json_text_test.cc)
#pragma once

#include <string>
#include <string_view>

#include "formats/json.h"

namespace vq {

// False for everything that is no flat object, and for whatever might be an error.
bool parse_flat_object(std::string_view text, Json& value);

// Into a value that is there: where it has the same members already, as one record of a file has
// after the other, it keeps its memory and that of its strings. Throws as parse_json does.
void parse_json_into(std::string_view text, Json& value, const std::string& where);

void append_json(std::string& out, const Json& value);

// What an exception of the parser says, as the tail of one of our sentences and without the bytes
// that it quotes.
std::string json_reason(const char* what);

}  // namespace vq
