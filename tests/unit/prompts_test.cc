#include "formats/prompts.h"

#include <gtest/gtest.h>

#include "formats/error.h"
#include "tests/unit/temp_folder.h"

namespace vq {
namespace {

TEST(Prompts, PlainLinesAndObjectsMix) {
  const TempFolder folder;
  const std::string path = folder.write("p.txt",
                                        "a small red bird\r\n\n   \n"
                                        "{\"caption\": \"a cat\", \"key\": \"c1\", \"note\": 5}\n"
                                        "{\"label\": 3}\n  spaced  \n");
  PromptReader reader({path});
  Prompt p;
  ASSERT_TRUE(reader.next(p));
  EXPECT_EQ(p.text, "a small red bird");
  ASSERT_TRUE(reader.next(p));
  EXPECT_EQ(p.text, "a cat");
  EXPECT_EQ(p.key, "c1");
  EXPECT_EQ(p.more, (Json{{"note", 5}}));
  ASSERT_TRUE(reader.next(p));
  EXPECT_EQ(p.text, "3");
  EXPECT_TRUE(p.is_label);
  ASSERT_TRUE(reader.next(p));
  EXPECT_EQ(p.text, "spaced");
  EXPECT_FALSE(reader.next(p));
}

TEST(Prompts, ErrorsNameFileAndLine) {
  const TempFolder folder;
  const std::string path = folder.write("p.jsonl", "fine\n{\"key\": \"x\"}\n");
  PromptReader reader({path});
  Prompt p;
  ASSERT_TRUE(reader.next(p));
  try {
    reader.next(p);
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(e.where().find("p.jsonl:2"), std::string::npos) << e.where();
  }
  EXPECT_THROW(parse_prompt("{\"caption\": 5}", "x"), Error);
  EXPECT_THROW(parse_prompt("{\"caption\": \"a\", \"label\": 1}", "x"), Error);
  EXPECT_THROW(parse_prompt("{nonsense", "x"), Error);
}

}  // namespace
}  // namespace vq
