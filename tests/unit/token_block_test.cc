#include "formats/token_block.h"

#include <gtest/gtest.h>

#include "formats/token_header.h"
#include "tests/golden/token_grid_parts.h"
#include "tests/unit/temp_folder.h"
#include "tests/unit/token_records.h"

namespace vq {
namespace {

TEST(TokenBlock, BitsOfAToken) {
  for (const auto& [k, bits] : {std::pair{1, 0},
                                {2, 1},
                                {3, 2},
                                {256, 8},
                                {257, 9},
                                {512, 9},
                                {4096, 12},
                                {65535, 16},
                                {65536, 16}}) {
    EXPECT_EQ(token_bits(k), bits) << k;
  }
  EXPECT_EQ(codec_tag("0f3a9c01ffff"), 0x0f3a9c01u);
  EXPECT_EQ(codec_tag(""), 0u);
}

void round_trip(const GridHeader& header, int n, double masked) {
  SCOPED_TRACE(::testing::Message() << header.height << "x" << header.width << " K "
                                    << header.codebook_size << " n " << n << " masked " << masked);
  const std::vector<TokenRecord> records = random_records(header, n, 3, masked);
  BlockPacker packer(header);
  for (const TokenRecord& record : records) packer.add(record);
  std::vector<size_t> borders;
  Bytes content = packer.pack(77, borders);
  EXPECT_EQ(packer.records(), 0);
  EXPECT_EQ(borders.back(), content.size());
  const size_t size = content.size();

  BlockUnpacker unpacker;
  unpacker.open(std::move(content), size);
  EXPECT_EQ(unpacker.head().first, 77u);
  EXPECT_EQ(unpacker.left(), n);
  TokenRecord record;
  for (const TokenRecord& expected : records) {
    unpacker.next(record);
    ASSERT_TRUE(same_record(record, expected)) << record.key;
  }
  EXPECT_EQ(unpacker.left(), 0);
  unpacker.rewind();
  unpacker.skip(n - 1);
  unpacker.next(record);
  EXPECT_TRUE(same_record(record, records.back()));
}

TEST(TokenBlock, RoundTripsOfEverySize) {
  for (const int k : {1, 2, 3, 7, 16, 100, 255, 256, 257, 300, 512, 1000, 1024, 1025, 4096, 16384,
                      40000, 65535, 65536}) {
    for (const bool mask : {false, true}) {
      for (const auto& [h, w] : {std::pair{1, 1}, {1, 7}, {3, 5}, {8, 8}, {5, 13}}) {
        for (const int n : {1, 2, 17}) round_trip(grid_header(h, w, k, mask), n, 0.3);
      }
    }
  }
  for (const double masked : {0.0, 0.02, 0.98, 1.0}) {
    round_trip(grid_header(16, 16, 512, true), 20, masked);
    round_trip(grid_header(1, 57, 4096, true), 20, masked);
  }
  round_trip(grid_header(256, 256, 65536, true), 2, 0.5);
  round_trip(grid_header(1, 3, 9, false), 300, 0);
}

// The same bytes as a writer made from the page alone.
TEST(TokenBlock, AgreesWithThePagesWriter) {
  for (const int k :
       {1, 2, 3, 8, 16, 17, 64, 100, 200, 512, 1024, 1025, 4096, 8000, 16384, 30000, 65536}) {
    const bool mask = k % 3 != 0;
    const GridHeader header = grid_header(3, mask ? 7 : 8, k, mask);
    golden::Header page;
    page.height = 3;
    page.width = header.width;
    page.codebook_size = k;
    page.codec = header.codec;
    golden::Block block;
    block.first = 5;
    BlockPacker packer(header);
    for (const TokenRecord& record : random_records(header, 4)) {
      packer.add(record);
      block.records.push_back(
          {record.key, {record.tokens.begin(), record.tokens.end()}, dump_json(record.more)});
    }
    std::vector<size_t> borders;
    const Bytes content = packer.pack(5, borders);
    EXPECT_TRUE(as_text(content) == golden::block_content(page, block)) << k;
  }
}

TEST(TokenBlock, RefusesRecordsThatBreakARule) {
  const GridHeader header = grid_header(1, 3, 512, false);
  const auto refused = [&](TokenRecord record) {
    BlockPacker packer(header);
    const std::string said = error_of([&] { packer.add(record); });
    EXPECT_EQ(packer.records(), 0);
    EXPECT_EQ(packer.raw_bytes(), 0u);
    return said;
  };
  EXPECT_EQ(refused({"a", {1, 2}, Json::object()}), "has 2 tokens; a grid of 1x3 has 3");
  EXPECT_EQ(refused({"a", {1, 2, -1}, Json::object()}),
            "token -1 is outside the codebook (0..511)");
  EXPECT_EQ(refused({"a", {1, 2, 513}, Json::object()}),
            "token 513 is outside the codebook (0..511)");
  EXPECT_EQ(refused({"a", {1, 2, 512}, Json::object()}),
            "has a [mask] (token 512), and the header says there is none");
  EXPECT_EQ(refused({"", {1, 2, 3}, Json::object()}), "the key is empty");
  EXPECT_EQ(refused({"a\nb", {1, 2, 3}, Json::object()}),
            "the key has a control character (code 10)");
  EXPECT_EQ(refused({std::string(4097, 'k'), {1, 2, 3}, Json::object()}),
            "the key has 4097 bytes; 4096 are allowed");
  EXPECT_EQ(refused({"a", {1, 2, 3}, Json::array()}), "its further members must be a JSON object");
  EXPECT_EQ(refused({"a", {1, 2, 3}, Json{{"x", std::string(kMaxRecordJson, 'x')}}}),
            "its JSON has 262152 bytes; 262144 are allowed");
}

// Every byte of a block, set to every value: an error, or records that keep every rule.
TEST(TokenBlock, AnyBytesAreABlockOrAnError) {
  const GridHeader header = grid_header(1, 3, 300, true);
  BlockPacker packer(header);
  for (const TokenRecord& record : random_records(header, 3)) packer.add(record);
  std::vector<size_t> borders;
  const Bytes good = packer.pack(0, borders);
  for (size_t at = 0; at < good.size(); ++at) {
    for (int value = 0; value < 256; ++value) {
      Bytes bytes = good;
      bytes[at] = static_cast<uint8_t>(value);
      BlockUnpacker unpacker;
      error_of([&] { unpacker.open(bytes, bytes.size()); });
      TokenRecord record;
      for (int n = 0; n < 8 && unpacker.left() > 0; ++n) {
        if (error_of([&] { unpacker.next(record); }) != "no error") continue;
        for (const int32_t token : record.tokens) {
          ASSERT_LE(token, unpacker.head().codebook_size);
          ASSERT_GE(token, 0);
        }
      }
    }
  }
  // Shorter ones too; only without any JSON is it a block again.
  size_t blocks = 0;
  for (size_t size = 0; size < good.size(); ++size) {
    BlockUnpacker unpacker;
    const Bytes bytes(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size));
    blocks += error_of([&] { unpacker.open(bytes, size); }) == "no error";
  }
  EXPECT_EQ(blocks, 1u);
}

}  // namespace
}  // namespace vq
