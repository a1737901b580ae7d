#include "formats/shard_names.h"

#include <gtest/gtest.h>

#include "tests/unit/temp_folder.h"

namespace vq {
namespace {

using Strings = std::vector<std::string>;

TEST(ShardNames, RangesKeepTheirZeros) {
  EXPECT_EQ(expand_shard_names("b-{000008..000011}.tar"),
            (Strings{"b-000008.tar", "b-000009.tar", "b-000010.tar", "b-000011.tar"}));
  EXPECT_EQ(expand_shard_names("{9..10}"), (Strings{"9", "10"}));
  EXPECT_EQ(expand_shard_names("{0..1}{a,b}"), (Strings{"0a", "0b", "1a", "1b"}));
  EXPECT_EQ(expand_shard_names("{7..7}.tar"), (Strings{"7.tar"}));
  EXPECT_EQ(expand_shard_names("a.tar::b{1,}.tar::-"), (Strings{"a.tar", "b1.tar", "b.tar", "-"}));
  EXPECT_EQ(expand_shard_names("plain}.tar"), (Strings{"plain}.tar"}));
}

TEST(ShardNames, MistakesAreNamed) {
  const auto error = [](const std::string& text) {
    return error_of([&] { expand_shard_names(text); });
  };
  EXPECT_EQ(error("{0..9.tar"), "{0..9.tar: a brace is not closed");
  EXPECT_EQ(error("{9..0}.tar"), "{9..0}.tar: the range {9..0} runs backwards");
  EXPECT_EQ(error("{a..z}.tar"), "{a..z}.tar: {a..z} is not a range of numbers");
  EXPECT_EQ(error("{a}.tar"), "{a}.tar: {a} is neither a range nor a list");
  EXPECT_EQ(error("a.tar::"), "a.tar::: names an empty shard");
  EXPECT_EQ(error(""), "names an empty shard");
  EXPECT_EQ(error("{0..18446744073709551615}"),
            "{0..18446744073709551615}: stands for more than 1000000 shards");
  EXPECT_EQ(error("{0..999}{0..999}{0..9}"),
            "{0..999}{0..999}{0..9}: stands for more than 1000000 shards");
}

TEST(ShardNames, Endings) {
  for (const char* name : {"a.tar", "A.TAR", "a.tar.gz", "a.tgz", "a.tar.zst", "a.tzst"}) {
    EXPECT_TRUE(has_shard_ending(name)) << name;
  }
  for (const char* name : {"a.gz", "a.zst", "tar", "a.tar.bz2"}) {
    EXPECT_FALSE(has_shard_ending(name)) << name;
  }
}

}  // namespace
}  // namespace vq
