// The names of tar shards, many at once, as WebDataset writes them.
//
//   birds-{000000..000123}.tar   one name for each number; leading zeros stay
//   birds-{a,b}.tar              one name for each word
//   a.tar::b.tar                 a list
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace vq {

// The names in their order. Throws vq::Error at `text`: a brace that is not closed, nothing between
// two braces, a range that runs backwards, more than a million names.
std::vector<std::string> expand_shard_names(const std::string& text);

// By its ending: .tar .tar.gz .tgz .tar.zst .tzst, whatever the case.
bool has_shard_ending(std::string_view path);

}  // namespace vq
