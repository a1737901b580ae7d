// Going on with a token-grid file that was not finished.
//
// A file that is written in one go has its blocks in the order of its records, each decided by the
// records alone. So whole blocks are kept, whatever comes behind them is cut off, and a writer goes
// on there: in the end the file is, byte for byte, the one that a run without a stop had written,
// where the records are the same. (Of a finished file the last block may be short, and stays so.)
// (token_resume_test.cc, tests/cli/encode/resume.sh)
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_set>

#include "formats/token_grid.h"
#include "formats/token_index.h"

namespace vq {

struct KeptTokens {
  GridHeader header;   // of the last stream in the file
  uint64_t bytes = 0;  // that are kept: up to the end of its last whole block
  // Of the last stream, which is gone on with:
  uint64_t begin = 0;  // where in the file
  uint64_t records = 0, blocks = 0;
  TokenIndex index;                      // header_bytes, sizes and counts so far
  std::unordered_set<std::string> keys;  // of all streams
};

// What can be kept of a file: all before its first frame that is missing or not whole, without a
// last stream's end mark. Nothing where there is no whole header at the beginning, or no such file.
// Takes as much memory as the keys.
std::optional<KeptTokens> keep_whole_blocks(const std::string& path);

// PATH opened to go on with it: what NAME.part holds, or, where that is less, the finished file
// PATH itself, which is copied first. `kept` is nothing for a file that begins now. Throws where
// PATH is something else than a token grid in binary.
Output resume_tokens(const std::string& path, std::optional<KeptTokens>& kept);

}  // namespace vq
