#include "formats/token_resume.h"

#include <filesystem>
#include <set>

#include "formats/token_header.h"
#include "tests/unit/temp_folder.h"

namespace vq {
namespace {

GridHeader header() {
  GridHeader h;
  h.height = 4, h.width = 5;
  h.codebook_size = 300;
  h.codec = "0123456789abcdef";
  return h;
}

TokenRecord record(int i) {
  TokenRecord r;
  r.key = "bird/" + std::to_string(i);
  for (int l = 0; l < 20; ++l) r.tokens.push_back((i * 37 + l * l) % 300);
  if (i % 3 == 0) r.more["caption"] = "number " + std::to_string(i);
  return r;
}

void write(TokenWriter& writer, int from, int to) {
  for (int i = from; i < to; ++i) writer.write(record(i));
}

constexpr TokenWriterOptions kSmallBlocks = {.block_records = 20};

std::string whole_file(const TempFolder& folder, const std::string& name, int records) {
  TokenWriter writer(Output::open(folder / name, true), header(), kSmallBlocks);
  write(writer, 0, records);
  writer.close();
  return file_content(folder / name);
}

// Goes on with folder/name until it has `records`; returns how many there were.
uint64_t go_on(const TempFolder& folder, const std::string& name, int records) {
  std::optional<KeptTokens> kept;
  Output output = resume_tokens(folder / name, kept);
  const auto done = static_cast<int>(kept ? kept->keys.size() : 0);
  TokenWriter writer = kept ? TokenWriter(std::move(output), *kept, kSmallBlocks)
                            : TokenWriter(std::move(output), header(), kSmallBlocks);
  write(writer, done, records);
  writer.close();
  return static_cast<uint64_t>(done);
}

TEST(TokenResume, CutAnywhereItEndsAsIfThereHadBeenNoStop) {
  const TempFolder folder;
  const std::string whole = whole_file(folder, "whole.vqt", 130);
  std::set<uint64_t> kept;
  for (size_t size = 0; size <= whole.size(); size += 7) {
    folder.write("a.vqt.part", whole.substr(0, size));
    kept.insert(go_on(folder, "a.vqt", 130));
    ASSERT_EQ(file_content(folder / "a.vqt"), whole) << size;
    ASSERT_FALSE(std::filesystem::exists(folder / "a.vqt.part"));
    std::filesystem::remove(folder / "a.vqt");
  }
  // Whole blocks of 20, and the last one of 10.
  EXPECT_EQ(kept, (std::set<uint64_t>{0, 20, 40, 60, 80, 100, 120, 130}));
}

TEST(TokenResume, DamageEndsWhatIsKept) {
  const TempFolder folder;
  const std::string whole = whole_file(folder, "whole.vqt", 130);
  for (size_t at = 0; at < whole.size(); at += 11) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x20);
    folder.write("a.vqt.part", damaged);
    go_on(folder, "a.vqt", 130);
    ASSERT_EQ(file_content(folder / "a.vqt"), whole) << at;
    std::filesystem::remove(folder / "a.vqt");
  }
}

TEST(TokenResume, AFinishedFileGrows) {
  const TempFolder folder;
  const std::string whole = whole_file(folder, "whole.vqt", 130);
  whole_file(folder, "a.vqt", 60);
  EXPECT_EQ(go_on(folder, "a.vqt", 130), 60u);
  EXPECT_EQ(file_content(folder / "a.vqt"), whole);
  EXPECT_EQ(go_on(folder, "a.vqt", 130), 130u);
  EXPECT_EQ(file_content(folder / "a.vqt"), whole);
  // Of the two files the one that has more counts.
  folder.write("a.vqt.part", whole.substr(0, whole.size() / 3));
  EXPECT_EQ(go_on(folder, "a.vqt", 130), 130u);
}

TEST(TokenResume, TheLastOfSeveralStreamsGoesOn) {
  const TempFolder folder;
  const std::string first = whole_file(folder, "first.vqt", 30);
  std::string second;
  {
    TokenWriter writer(Output::open(folder / "second.vqt", true), header(), kSmallBlocks);
    write(writer, 30, 75);
    writer.close();
    second = file_content(folder / "second.vqt");
  }
  folder.write("a.vqt.part", first + second.substr(0, second.size() * 2 / 3));
  EXPECT_GE(go_on(folder, "a.vqt", 75), 50u);
  TokenReader reader({folder / "a.vqt"});
  TokenRecord r;
  int n = 0;
  for (; reader.next(r); ++n) EXPECT_EQ(r.tokens, record(n).tokens);
  EXPECT_EQ(n, 75);
  TokenFile file(folder / "a.vqt");
  EXPECT_EQ(file.size(), 75u);
  EXPECT_EQ(file.read(70).key, "bird/70");
}

TEST(TokenResume, WhatIsDoneIsLeftWhenAWriterIsDropped) {
  const TempFolder folder;
  const std::string whole = whole_file(folder, "whole.vqt", 130);
  {
    std::optional<KeptTokens> kept;
    TokenWriter writer(resume_tokens(folder / "a.vqt", kept), header(), kSmallBlocks);
    EXPECT_FALSE(kept);
    write(writer, 0, 50);
    // A second one that means to go on with the same file.
    std::optional<KeptTokens> other;
    EXPECT_NE(error_of([&] { resume_tokens(folder / "a.vqt", other); }).find("another process"),
              std::string::npos);
  }
  EXPECT_FALSE(std::filesystem::exists(folder / "a.vqt"));
  EXPECT_EQ(go_on(folder, "a.vqt", 130), 40u);
  EXPECT_EQ(file_content(folder / "a.vqt"), whole);
}

TEST(TokenResume, OnlyATokenGridInAFile) {
  const TempFolder folder;
  std::optional<KeptTokens> kept;
  folder.write("a.txt", "hello");
  EXPECT_EQ(error_of([&] { resume_tokens(folder / "a.txt", kept); }, folder.path()),
            "a.txt: is text, not a token-grid file that could be gone on with");
  EXPECT_EQ(error_of([&] { resume_tokens("-", kept); }),
            "standard output: is not a file that can be gone on with");
  EXPECT_EQ(file_content(folder / "a.txt"), "hello");
}

}  // namespace
}  // namespace vq
