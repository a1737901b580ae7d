// Names of somebody else's tensors for ours, as data: rows of patterns, and the function that reads
// them.
//
//   {"blocks.#.self.qkv.*", {"blocks.#.attn1.query.*", "blocks.#.attn1.key.*", ...}}
//
// A pattern is dots and words. # is any whole number, and the numbers of ours are put in theirs in
// order; ~ in theirs is the number counted from the other end of `levels` (a peer that counts its
// levels upwards where ours count downwards); * at the end is any rest, a single word or more.
// Several names on their side mean that ours is theirs one below the other, in rows, in equal
// parts.
//
// Law: the first row whose pattern fits counts; a name that fits none has no peer.
// (name_map_test.cc)
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace vq {

struct NameRow {
  std::string ours;
  std::vector<std::string> theirs;
};
using NameMap = std::vector<NameRow>;

// What our tensor is called over there; empty when the map does not know it.
std::vector<std::string> their_names(const NameMap& map, const std::string& ours,
                                     int64_t levels = 0);

// "blocks.3.self.qkv.weight" -> "blocks.#.self.qkv.weight": what a table shows once for all layers.
std::string with_numbers_hidden(const std::string& name);

}  // namespace vq
