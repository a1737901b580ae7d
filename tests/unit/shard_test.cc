#include "tools/cli/shard.h"

#include <gtest/gtest.h>

#include "formats/error.h"

namespace vq {
namespace {

TEST(Shard, EveryRecordIsInOneOfThem) {
  for (uint64_t record = 0; record < 20; ++record) {
    int held = 0;
    for (const char* text : {"0/3", "1/3", "2/3"}) held += parse_shard(text).holds(record);
    EXPECT_EQ(held, 1);
    EXPECT_TRUE(parse_shard("").holds(record));
  }
  EXPECT_TRUE(parse_shard("2/3").holds(5));
}

TEST(Shard, AnythingElseIsAUsageError) {
  for (const char* text : {"3/3", "1", "1/", "/2", "a/b", "1/2x", "-1/2", "0/0", "1/2/3"}) {
    EXPECT_THROW(parse_shard(text), Error) << text;
  }
}

}  // namespace
}  // namespace vq
