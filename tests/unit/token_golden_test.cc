// The golden token grids: every passed one reads as its text says, every failed one is refused by
// the rule in its name, all of them are what their program writes, and the page shows one of them.

#include <gtest/gtest.h>

#include <filesystem>
#include <sstream>

#include "formats/bytes.h"
#include "formats/token_grid.h"
#include "tests/golden/token_grid_parts.h"
#include "tests/unit/temp_folder.h"

namespace vq {
namespace {

const std::string kFolder = std::string(VQ_TESTS_DIR) + "/golden/token-grid-v1";

// A stream in the text spelling.
std::string as_text(TokenReader& reader) {
  Bytes text;
  TokenWriterOptions options;
  options.spelling = Spelling::text;
  // A header without history is written without one, so that the golden text can be that too.
  options.history = !reader.header().history.empty();
  TokenWriter writer(Output::memory(&text), reader.header(), options);
  TokenRecord record;
  while (reader.next(record)) {
    if (reader.stream().mask) writer.allow_mask();
    writer.write(record);
  }
  writer.close();
  return std::string(vq::as_text(text));
}

std::string without_empty_history(std::string text) {
  const std::string part = R"(,"history":[])";
  if (const size_t at = text.find(part); at != std::string::npos) text.erase(at, part.size());
  return text;
}

TEST(TokenGolden, FilesAreWhatTheirProgramWrites) {
  const golden::Files files = golden::all_files();
  size_t found = 0;
  for (const auto& [part, expected] :
       {std::pair{"/passed/", &files.passed}, std::pair{"/failed/", &files.failed}}) {
    for (const auto& [name, bytes] : *expected) {
      EXPECT_TRUE(file_content(kFolder + part + name) == bytes)
          << name << " differs; run make_token_grids if that is meant";
    }
    for (const auto& entry : std::filesystem::directory_iterator(kFolder + part)) {
      EXPECT_TRUE(expected->contains(entry.path().filename().string())) << entry.path();
      ++found;
    }
  }
  EXPECT_EQ(found, files.passed.size() + files.failed.size());
}

TEST(TokenGolden, PassedFilesReadAsTheirText) {
  for (const auto& [name, bytes] : golden::all_files().passed) {
    if (name.ends_with(".text")) continue;
    SCOPED_TRACE(name);
    const std::string stem = name.substr(0, name.find('.'));
    const std::string expected = file_content(kFolder + "/passed/" + stem + ".text");
    ASSERT_EQ("no error", error_of([&] {
                TokenReader reader(std::vector<std::string>{kFolder + "/passed/" + name});
                EXPECT_EQ(as_text(reader), without_empty_history(expected));
              }));
  }
}

TEST(TokenGolden, FailedFilesAreRefusedByTheirRule) {
  std::istringstream messages(file_content(kFolder + "/messages.tsv"));
  size_t count = 0;
  for (std::string line; std::getline(messages, line); ++count) {
    const std::string name = line.substr(0, line.find('\t'));
    const std::string message = line.substr(line.find('\t') + 1);
    const std::string path = kFolder + "/failed/" + name;
    const auto read = [&](OnDamage on_damage) {
      TokenReader reader(std::vector<std::string>{path}, on_damage);
      reader.header();
      for (TokenRecord record; reader.next(record);) {
      }
      if (reader.damage().empty()) return;
      throw Error("", reader.damage()[0].message);
    };
    const std::string said = error_of([&] { read(OnDamage::stop); }, kFolder + "/failed");
    EXPECT_TRUE(said.starts_with(name + ": ")) << name << ": " << said;
    EXPECT_NE(said.find(message), std::string::npos) << name << ": " << said;
    EXPECT_NE(error_of([&] { read(OnDamage::salvage); }), "no error") << name;
  }
  EXPECT_EQ(count, golden::all_files().failed.size());
}

TEST(TokenGolden, RecordNumbersAgreeWithReading) {
  for (const auto& [name, bytes] : golden::all_files().passed) {
    const bool indexed = name.ends_with(".vqt") && !name.starts_with("no-index") &&
                         !name.starts_with("other-skippable");
    if (!indexed) continue;
    SCOPED_TRACE(name);
    const std::string path = kFolder + "/passed/" + name;
    TokenFile file(path);
    TokenReader reader(std::vector<std::string>{path});
    TokenRecord record;
    for (uint64_t i = 0; i < file.size(); ++i) {
      ASSERT_TRUE(reader.next(record));
      const TokenRecord direct = file.read(i);
      EXPECT_EQ(direct.key, record.key);
      EXPECT_EQ(direct.tokens, record.tokens);
      EXPECT_EQ(direct.more, record.more);
    }
    EXPECT_FALSE(reader.next(record));
  }
}

// The rows of the worked example are "offset  bytes  | what they are".
TEST(TokenGolden, PageShowsTheExampleByteByByte) {
  const std::string page = file_content(std::string(VQ_TESTS_DIR) + "/../formats/token_grid.md");
  const size_t start = page.find("<!-- example.vqt -->");
  ASSERT_NE(start, std::string::npos);
  std::istringstream rows(page.substr(start, page.find("<!-- end -->", start) - start));
  std::string shown;
  for (std::string row; std::getline(rows, row);) {
    const size_t bar = row.find('|');
    if (row.size() < 6 || row[4] != ' ' || bar == std::string::npos) continue;
    EXPECT_EQ(std::stoul(row.substr(0, 4), nullptr, 16), shown.size()) << row;
    std::istringstream bytes(row.substr(4, bar - 4));
    for (std::string hex; bytes >> hex;) shown += static_cast<char>(std::stoi(hex, nullptr, 16));
  }
  EXPECT_TRUE(shown == golden::example());
}

}  // namespace
}  // namespace vq
