#include "lib/scoring/usage.h"

#include <algorithm>
#include <cmath>

#include "formats/error.h"

namespace vq {

void CodeUsage::add(const TokenRecord& record) {
  ++records_;
  for (const int32_t token : record.tokens) {
    if (token == static_cast<int32_t>(counts_.size())) {
      ++masked_;
    } else {
      ++counts_[static_cast<size_t>(token)];
      ++tokens_;
    }
  }
}

int64_t CodeUsage::used() const {
  return static_cast<int64_t>(counts_.size()) - std::count(counts_.begin(), counts_.end(), 0);
}

double CodeUsage::perplexity() const {
  if (tokens_ == 0) return std::nan("");
  double entropy = 0;
  for (const int64_t count : counts_) {
    const double share = static_cast<double>(count) / static_cast<double>(tokens_);
    if (count > 0) entropy -= share * std::log(share);
  }
  return std::exp(entropy);
}

Json measure_usage(TokenReader& reader) {
  const GridHeader header = reader.header();
  CodeUsage usage(header.codebook_size);
  for (TokenRecord record; reader.next(record);) usage.add(record);
  if (usage.records() == 0) throw Error(reader.where(), "holds no token grids");
  return {
      {"metric", "usage"},          {"value", usage.perplexity()}, {"records", usage.records()},
      {"tokens", usage.tokens()},   {"masked", usage.masked()},    {"codes", header.codebook_size},
      {"codes_used", usage.used()}, {"network", "codec"},          {"network_id", header.codec}};
}

}  // namespace vq
