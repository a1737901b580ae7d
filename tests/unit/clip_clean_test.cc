#include "lib/condition/clip_clean.h"

#include <gtest/gtest.h>

#include "lib/condition/html_entities.h"

namespace vq {
namespace {

std::string clean(std::string_view text) { return utf8_of(clip_clean(text)); }

TEST(ClipClean, FoldsCaseAndWhiteSpace) {
  EXPECT_EQ(clean("  A Red\t\n BIRD\u00A0\u3000x "), "a red bird x");
  EXPECT_EQ(clean(""), "");
  EXPECT_EQ(clean(" \n"), "");
  EXPECT_EQ(clean("İ"), "i\u0307");
  EXPECT_EQ(clean("ΟΔΟΣ ΣΑΣ"), "οδος σας");  // the sigma that ends a word
  EXPECT_EQ(clean("GROẞ"), "groß");
}

TEST(ClipClean, ResolvesEntities) {
  EXPECT_EQ(clean("a &amp; b"), "a & b");
  EXPECT_EQ(clean("&EACUTE;&#233;&#xE9;&#XE9;"),
            "ééé"
            "é");
  EXPECT_EQ(clean("&amp;amp;amp;amp;lt;"), "<");
  EXPECT_EQ(clean("&notit; &copy2022 &nosuch; &;"), "¬it; ©2022 &nosuch; &;");
  EXPECT_EQ(clean("&#128; &#x85; x&#1;y &#0; &#xd800; &#9999999999;"),
            "€ … xy \uFFFD \uFFFD \uFFFD");
  EXPECT_EQ(clean("x&nbsp;y"), "x y");
  // From the first line with "<" on only the two rounds of HTML's own rules are left.
  EXPECT_EQ(clean("&amp;amp;amp;\n<"), "& <");
  EXPECT_EQ(clean("<\n&amp;amp;amp;"), "< &amp;");
}

TEST(ClipClean, MakesCharactersPlain) {
  EXPECT_EQ(clean("‘a’ “b” ʼ‛‟"), "'a' \"b\" ''\"");
  EXPECT_EQ(clean("ｆｕｌｌ！　ｶﾞ"), "full! ガ");
  EXPECT_EQ(clean("ﬁ ﬄ Ǆ ĳ ŉ ﬅ"), "fi ffl dž ij 'n ſt");
  EXPECT_EQ(clean("e\u0301 \u212B"), "é å");
  EXPECT_EQ(clean("a\u2028b\rc\r\nd"), "a b c d");
  EXPECT_EQ(clean("\u0093q\u0094 \u0085"), "\"q\" …");  // Windows-1252 in control characters
}

TEST(ClipClean, LeavesControlsOut) {
  EXPECT_EQ(clean("a\x1b[1;31mred\x1b[0m b\x07"
                  "c\x7f\uFEFFd\uFFFC"),
            "ared bcd");
  EXPECT_EQ(clean("a\x1b[31 b"), "a[31 b");
  EXPECT_EQ(clean("a\u200Db\u200Bc"), "a\u200Db\u200Bc");  // joiners stay: emoji need them
  EXPECT_EQ(clean("&am\x01p;"), "&");
}

TEST(ClipClean, TakesBytesThatAreNoUtf8) {
  EXPECT_EQ(clean("a\xff"
                  "b\xc3"),
            "a\uFFFDb\uFFFD");
  EXPECT_EQ(utf8_of(utf32_of("aé東🚀")), "aé東🚀");
}

TEST(HtmlEntities, NamesAndTheOldOnesWithoutSemicolon) {
  ASSERT_NE(html_entity("eacute;"), nullptr);
  EXPECT_EQ(*html_entity("eacute;"), U"é");
  ASSERT_NE(html_entity("amp"), nullptr);
  EXPECT_EQ(html_entity("zwj"), nullptr);
  EXPECT_EQ(*html_entity("zwj;"), U"\u200D");
  EXPECT_EQ(html_entity("fjlig;")->size(), 2u);
  EXPECT_EQ(html_entity(""), nullptr);
}

}  // namespace
}  // namespace vq
