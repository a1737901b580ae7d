// All token grids of a training run in memory: tokens, conditions, and which belong together.
//
// Tokens are kept in 16 bits: a million images of 1024 tokens take 2 GiB. A record with several
// captions is one image; which caption is heard is drawn anew at each visit.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "formats/token_grid.h"

namespace vq {

struct TokenSet {
  GridHeader header;
  at::Tensor tokens;                               // (N, L) int16, the bits of an unsigned number
  std::vector<std::vector<std::string>> captions;  // N lists; all empty or none
  std::vector<int64_t> labels;                     // N; empty when there are none
  std::vector<std::string> classes;  // names by label, from the header; may be shorter

  int64_t size() const { return tokens.size(0); }
  // (n, L) int64
  at::Tensor batch(const std::vector<int64_t>& records) const;
  bool has_captions() const { return !captions.empty(); }
  bool has_labels() const { return !labels.empty(); }
};

// Reads every record of the streams ("-" is standard input). Throws vq::Error: no records, [mask]
// among the tokens, captions or labels on some records but not on all.
TokenSet read_token_set(const std::vector<std::string>& paths);

// "caption" and "captions" of a record in one list.
std::vector<std::string> captions_of(const TokenRecord& record);

}  // namespace vq
