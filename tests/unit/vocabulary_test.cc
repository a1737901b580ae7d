#include "lib/condition/vocabulary.h"

#include <gtest/gtest.h>

#include "formats/error.h"

namespace vq {
namespace {

std::vector<std::string> captions() {
  std::vector<std::string> list;
  for (const char* colour : {"red", "blue", "green"}) {
    for (const char* shape : {"ring", "star", "square"}) {
      for (int i = 0; i < 20; ++i) list.push_back(std::string("a ") + colour + " " + shape);
    }
  }
  return list;
}

TEST(Vocabulary, WordsOfASmallDataSetBecomePieces) {
  const Vocabulary v = Vocabulary::train(captions(), 64);
  EXPECT_LE(v.size(), 64);
  EXPECT_LE(v.count("a red ring"), 5);
  EXPECT_NE(v.ids("a red ring", 8), v.ids("a blue ring", 8));
  EXPECT_TRUE(v.knows("a blue star"));
  EXPECT_FALSE(v.knows("a \xE2\x98\x83"));
}

TEST(Vocabulary, CaseAndWhiteSpaceDoNotMatter) {
  const Vocabulary v = Vocabulary::train(captions(), 64);
  EXPECT_EQ(v.ids("A  Red RING ", 8), v.ids("a red ring", 8));
}

TEST(Vocabulary, PadsWithZeroAndCuts) {
  const Vocabulary v = Vocabulary::train(captions(), 64);
  const auto ids = v.ids("a red ring", 12);
  EXPECT_EQ(ids.size(), 12u);
  EXPECT_EQ(ids.back(), 0);
  EXPECT_NE(ids.front(), 0);
  EXPECT_EQ(v.ids("a red ring", 2), (std::vector<int64_t>{ids[0], ids[1]}));
}

TEST(Vocabulary, TravelsAsBytes) {
  const Vocabulary v = Vocabulary::train(captions(), 64);
  const Vocabulary again = Vocabulary::load(v.serialized(), "a file");
  EXPECT_EQ(again.ids("a green square", 8), v.ids("a green square", 8));
  EXPECT_EQ(Vocabulary::train(captions(), 64).serialized(), v.serialized());
  EXPECT_THROW(Vocabulary::load(Bytes{1, 2, 3}, "a file"), Error);
  EXPECT_THROW(Vocabulary::train({}, 64), Error);
  EXPECT_THROW(Vocabulary::train({"", ""}, 64), Error);
}

}  // namespace
}  // namespace vq
