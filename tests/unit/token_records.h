// Records for tests of the token grid: the same for the same seed.
#pragma once

#include <random>
#include <string>
#include <vector>

#include "formats/token_grid.h"

namespace vq {

inline GridHeader grid_header(int height, int width, int codebook_size, bool mask) {
  GridHeader header;
  header.height = height;
  header.width = width;
  header.codebook_size = codebook_size;
  header.mask = mask;
  header.codec = "0f3a9c01d2e4b5768899aabbccddeeff";
  return header;
}

inline TokenRecord random_record(const GridHeader& header, std::mt19937& random, int number,
                                 double masked = 0.3) {
  TokenRecord record;
  record.key = "k/" + std::to_string(number);
  record.tokens.resize(static_cast<size_t>(header.length()));
  for (int32_t& token : record.tokens) {
    const bool is_mask = header.mask && random() % 1000 < masked * 1000;
    token = is_mask ? header.codebook_size
                    : static_cast<int32_t>(random() % static_cast<unsigned>(header.codebook_size));
  }
  if (number % 3 != 0) record.more["caption"] = "bird " + std::to_string(number);
  if (number % 5 == 0) record.more["x"] = Json{{"y", {number, 0.5, nullptr}}};
  return record;
}

inline std::vector<TokenRecord> random_records(const GridHeader& header, int n, unsigned seed = 1,
                                               double masked = 0.3) {
  std::mt19937 random(seed);
  std::vector<TokenRecord> records;
  for (int i = 0; i < n; ++i) records.push_back(random_record(header, random, i, masked));
  return records;
}

inline bool same_record(const TokenRecord& a, const TokenRecord& b) {
  return a.key == b.key && a.tokens == b.tokens && a.more == b.more;
}

inline Bytes written(const GridHeader& header, const std::vector<TokenRecord>& records,
                     TokenWriterOptions options = {}) {
  Bytes bytes;
  options.max_wait = 0;
  TokenWriter writer(Output::memory(&bytes), header, options);
  for (const TokenRecord& record : records) writer.write(record);
  writer.close();
  return bytes;
}

}  // namespace vq
