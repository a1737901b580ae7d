#include "formats/prompts.h"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <thread>

#include "formats/error.h"
#include "formats/token_grid.h"
#include "tests/unit/pipe.h"
#include "tests/unit/temp_folder.h"

namespace vq {
namespace {

Prompt caption_of_record(const TokenRecord& record) {
  Prompt prompt;
  prompt.text = record.more.value("caption", "");
  return prompt;
}

// Two records; what was sampled says with which seed.
std::string write_grid(const TempFolder& folder, Spelling spelling) {
  const std::string path = folder / (spelling == Spelling::text ? "g.txt" : "g.vqt");
  GridHeader header;
  header.height = header.width = 1, header.codebook_size = 2;
  TokenWriter writer(Output::open(path, true), header, {.spelling = spelling});
  writer.write({"a/1", {1}, Json::parse(R"({"caption":"a cat","seed":3,"step":4,"note":5})")});
  writer.write({"a/2", {0}, Json::parse(R"({"label":1})")});
  writer.close();
  return path;
}

TEST(Prompts, ATokenGridInEitherSpellingIsItsCaptionsAndKeys) {
  for (const Spelling spelling : {Spelling::binary, Spelling::text}) {
    const TempFolder folder;
    const std::string lines = folder.write("p.txt", "(a)\nP");
    PromptReader reader({lines, write_grid(folder, spelling)}, caption_of_record);
    Prompt p;
    ASSERT_TRUE(reader.next(p));
    EXPECT_EQ(p.text, "(a)") << "begins as a frame does";
    ASSERT_TRUE(reader.next(p));
    EXPECT_EQ(p.text, "P");
    ASSERT_TRUE(reader.next(p));
    EXPECT_EQ(p.text, "a cat");
    EXPECT_EQ(p.key, "a/1");
    EXPECT_EQ(p.more, (Json{{"caption", "a cat"}, {"note", 5}}));
    EXPECT_TRUE(reader.ready());
    try {
      reader.next(p);
      FAIL() << "a record that asks for nothing";
    } catch (const Error& e) {
      EXPECT_EQ(e.message(), "has no label, and no caption or an empty one");
      EXPECT_NE(e.where().find(spelling == Spelling::text ? "g.txt:3" : "record 1 (a/2)"),
                std::string::npos)
          << e.where();
    }
  }
}

double seconds_of(const std::function<void()>& action) {
  const auto begin = std::chrono::steady_clock::now();
  action();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// Lines of text and grids in either spelling alike: who writes lets each record out at once.
TEST(Prompts, WaitsSoLongForWhatComesThroughAPipe) {
  for (const Spelling spelling : {Spelling::binary, Spelling::text}) {
    Pipe pipe;
    GridHeader header;
    header.height = header.width = 1, header.codebook_size = 2;
    TokenWriter writer(Output::open(pipe.name(1), true), header, {.spelling = spelling});
    const auto write = [&](const std::string& key) {
      writer.write({key, {1}, Json{{"caption", "of " + key}}});
      writer.flush();
    };
    write("a");
    PromptReader reader({pipe.name(0)}, caption_of_record);
    pipe.end();
    Prompt p;
    ASSERT_TRUE(reader.next(p));
    EXPECT_EQ(p.text, "of a");
    EXPECT_FALSE(reader.ready());
    EXPECT_GE(seconds_of([&] { EXPECT_FALSE(reader.ready(0.05)); }), 0.05);
    const auto late = [&](auto what) {
      bool ready = false;
      std::thread other([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        what();
      });
      const double waited = seconds_of([&] { ready = reader.ready(60); });
      other.join();
      EXPECT_TRUE(ready);
      EXPECT_LT(waited, 30) << "waits no longer than it must";
    };
    late([&] { write("b"); });
    ASSERT_TRUE(reader.next(p));
    EXPECT_EQ(p.text, "of b");
    EXPECT_FALSE(reader.ready());
    late([&] { writer.close(); });
    EXPECT_FALSE(reader.next(p));
  }
}

TEST(Prompts, PlainLinesAndObjectsMix) {
  const TempFolder folder;
  const std::string path = folder.write("p.txt",
                                        "a small red bird\r\n\n   \n"
                                        "{\"caption\": \"a cat\", \"key\": \"c1\", \"note\": 5}\n"
                                        "{\"label\": 3}\n  spaced  \n");
  PromptReader reader({path}, caption_of_record);
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
  PromptReader reader({path}, caption_of_record);
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
