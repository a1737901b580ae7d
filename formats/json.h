// JSON values whose members keep the order in which they were written.
//
// Order is kept because headers and metadata are copied from file to file and read by people.
// Parse through parse_json: it turns the parser's exceptions into vq::Error with the place.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace vq {

using Json = nlohmann::ordered_json;

// Throws vq::Error(where, "not valid JSON: ..."), also for text that is not UTF-8, nesting deeper
// than 64 levels, or anything after the value.
Json parse_json(std::string_view text, const std::string& where);

// One line without spaces or line ends; text that is not UTF-8 is replaced, never thrown on.
std::string dump_json(const Json& value);

}  // namespace vq
