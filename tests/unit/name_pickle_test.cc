#include "formats/name_pickle.h"

#include <gtest/gtest.h>

#include <string_view>

#include "formats/bytes.h"
#include "tests/unit/temp_folder.h"

namespace vq {
namespace {

using namespace std::string_view_literals;
using Strings = std::vector<std::string>;

Strings read(std::string_view bytes) { return read_name_pickle(as_bytes(bytes), "f"); }

// What Python wrote for ["001.A/A_1", "002.B/B_2"].
TEST(NamePickle, EveryProtocol) {
  const Strings names = {"001.A/A_1", "002.B/B_2"};
  const std::string_view python2 = "(lp0\nS'001.A/A_1'\np1\naS\"002.B/B_2\"\np2\na."sv;
  EXPECT_EQ(read(python2), names) << "protocol 0 of Python 2";
  EXPECT_EQ(read("(lp0\nV001.A/A_1\np1\naV002.B/B_2\np2\na."sv), names) << "0 of Python 3";
  EXPECT_EQ(read("]q\0(U\x09"
                 "001.A/A_1q\1U\x09"
                 "002.B/B_2q\2e."sv),
            names)
      << "1 of Python 2";
  EXPECT_EQ(read("]q\0(X\x09\0\0\0"
                 "001.A/A_1q\1X\x09\0\0\0"
                 "002.B/B_2q\2e."sv),
            names)
      << "1 of Python 3";
  EXPECT_EQ(read("\x80\2]q\0(U\x09"
                 "001.A/A_1q\1U\x09"
                 "002.B/B_2q\2e."sv),
            names)
      << "2 of Python 2";
  EXPECT_EQ(read("\x80\4\x95\x1d\0\0\0\0\0\0\0]\x94(\x8c\x09"
                 "001.A/A_1\x94\x8c\x09"
                 "002.B/B_2\x94"
                 "e."sv),
            names)
      << "4";
  EXPECT_EQ(read("(l."), Strings());
  EXPECT_EQ(read("\x80\2]."sv), Strings());
}

TEST(NamePickle, WhatIsNoListOfNamesIsRefused) {
  const auto error = [](std::string_view bytes) { return error_of([&] { read(bytes); }); };
  EXPECT_EQ(error("(lp0\nI5\na."), "f: holds something besides names");
  EXPECT_EQ(error("(lp0\nS'a'\nS'b'\na."), "f: holds something besides names");
  EXPECT_EQ(error("(lp0\na."), "f: holds something besides names");
  EXPECT_EQ(error("(lp0\nS'a'\n."), "f: holds something besides names");
  EXPECT_EQ(error("(lp0\nS'a'\na.x"), "f: holds something besides names");
  EXPECT_EQ(error("(lp0\nS'a\na."), "f: holds a name without its end");
  EXPECT_EQ(error("(lp0\nS'\\x61'\na."), "f: holds a name with an escape");
  EXPECT_EQ(error("(lp0\nS'\xff'\na."), "f: holds a name that is not UTF-8");
  EXPECT_EQ(error("\x80\2]U\1\xff"
                  "a."sv),
            "f: holds a name that is not UTF-8");
  EXPECT_EQ(error("(lcos\nsystem\n(S'x'\ntRa."), "f: holds something besides names");
  EXPECT_EQ(error("\x80\2}."sv), "f: is not a list of names");
  EXPECT_EQ(error("\x80\2]K\1a."sv), "f: holds something besides names");
  const std::string_view whole = "(lp0\nS'001.A/A_1'\np1\na.";
  for (size_t n = 0; n < whole.size(); ++n) {
    EXPECT_NE(error(whole.substr(0, n)), "no error") << n;
  }
}

}  // namespace
}  // namespace vq
