#include "formats/error.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace vq {
namespace {

TEST(Error, SaysWhereThenWhat) {
  const Error error("cub.vqt: record 118", "token 9 is outside the codebook (0..8)", "look at it");
  EXPECT_STREQ(error.what(), "cub.vqt: record 118: token 9 is outside the codebook (0..8)");
  EXPECT_EQ(error.where(), "cub.vqt: record 118");
  EXPECT_EQ(error.message(), "token 9 is outside the codebook (0..8)");
  EXPECT_EQ(error.hint(), "look at it");
  EXPECT_EQ(error.kind(), Error::Kind::failed);
}

TEST(Error, WithoutAPlaceIsOnlyWhat) {
  EXPECT_STREQ(Error("", "out of memory").what(), "out of memory");
}

TEST(Error, UsageIsAKind) {
  const Error error = Error::usage("--steps", "must be 1..1000", "try 100");
  EXPECT_EQ(error.kind(), Error::Kind::usage);
  EXPECT_STREQ(error.what(), "--steps: must be 1..1000");
  EXPECT_EQ(error.hint(), "try 100");
}

TEST(Error, ErrnoBecomesWords) {
  errno = ENOSPC;
  EXPECT_STREQ(Error::from_errno("standard output", "").what(),
               "standard output: No space left on device");
  errno = ENOENT;
  EXPECT_STREQ(Error::from_errno("a.vqt", "cannot open").what(),
               "a.vqt: cannot open: No such file or directory");
}

TEST(Error, SeenFromFurtherOutKeepsEverything) {
  const Error inner = Error::usage("record 3", "is odd", "make it even");
  const Error outer = inner.within("a.vqt");
  EXPECT_STREQ(outer.what(), "a.vqt: record 3: is odd");
  EXPECT_EQ(outer.hint(), "make it even");
  EXPECT_EQ(outer.kind(), Error::Kind::usage);
  EXPECT_STREQ(Error("", "is odd").within("a.vqt").what(), "a.vqt: is odd");
  EXPECT_STREQ(inner.within("").what(), "record 3: is odd");
}

}  // namespace
}  // namespace vq
