// A second writer of token grids, made from formats/token_grid.md and not from formats/*.cc: it
// packs bit by bit, stores instead of compressing (so its bytes do not depend on libzstd's
// version), and can break every rule.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace vq::golden {

struct Header {
  std::string format = "vq-token-grid";
  int version = 1;
  int height = 2, width = 3, codebook_size = 512;
  std::string codec = "0f3a9c01d2e4b576";
  bool mask = true;
  std::string rest = R"(,"history":[])";  // behind "mask"
};

struct Record {
  std::string key;
  std::vector<int> tokens;  // codebook_size for [mask]
  std::string json = "{}";
};

// Every field as it lies in the block's head, so that each can be wrong.
struct Block {
  std::string magic = "VQB1";
  int packing = -1;  // -1: what the page recommends
  int flags = -1;    // -1: 1 when a token is [mask]
  int count = -1;    // -1: as many as there are
  uint32_t first = 0;
  std::vector<Record> records;
};

std::string le(uint64_t value, int bytes);
// One data frame that stores its content, with content size and checksum.
std::string frame(const std::string& content);
std::string skippable(uint32_t magic, const std::string& body);
std::string header_line(const Header& header);
std::string block_content(const Header& header, const Block& block);
std::string end_line(uint64_t records, uint64_t blocks);
// The index of a stream of these frames.
std::string index_frame(size_t header_size, const std::vector<size_t>& block_sizes,
                        const std::vector<int>& counts, size_t end_size);
// Header, blocks, end mark and index.
std::string stream(const Header& header, const std::vector<Block>& blocks, bool index = true);

// The example of token_grid.md.
std::string example();

// Name -> content of tests/golden/token-grid-v1/passed and failed. A passed NAME.vqt or NAME.txt
// has its text spelling in NAME.text; what a failed one must make a reader say is in `messages`.
struct Files {
  std::map<std::string, std::string> passed, failed, messages;
};
Files all_files();

}  // namespace vq::golden
