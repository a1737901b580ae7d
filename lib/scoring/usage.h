// How much of its codebook a set of token grids uses.
//
//   tokens       0..K-1; [mask] is counted apart
//   perplexity   exp(entropy) of how often each code comes: as many codes as there would be if all
//                used ones were used alike
//
// Laws: all codes alike give K; one code gives 1; the order is no matter.      (usage_test.cc)
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "formats/json.h"
#include "formats/token_grid.h"

namespace vq {

class CodeUsage {
 public:
  explicit CodeUsage(int codes) : counts_(static_cast<size_t>(codes)) {}

  void add(const TokenRecord& record);
  int64_t records() const { return records_; }
  int64_t tokens() const { return tokens_; }  // without [mask]
  int64_t masked() const { return masked_; }
  int64_t used() const;
  double perplexity() const;  // NaN of no tokens

 private:
  std::vector<int64_t> counts_;
  int64_t records_ = 0, tokens_ = 0, masked_ = 0;
};

// One result, with the members that formats/metrics.h lists. Throws vq::Error for a stream without
// records.
Json measure_usage(TokenReader& reader);

}  // namespace vq
