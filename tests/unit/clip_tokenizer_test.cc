#include "lib/condition/clip_tokenizer.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <fstream>
#include <functional>

#include "formats/error.h"
#include "formats/json.h"
#include "tests/unit/temp_folder.h"

namespace vq {
namespace {

constexpr const char* kMerges = "c a\nca t</w>\nd o\ndo g</w>\na a\naa a\n";  // 512 .. 517

std::string message(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.where() + ": " + e.message();
  }
  return "";
}

// tests/parity/clip/ids.py made it: a small vocabulary, and what CLIP's own code makes of captions
// of all kinds with it. The first line holds the merges.
TEST(ClipTokenizer, GivesTheIdsThatTheOriginalGives) {
  std::ifstream file(VQ_TESTS_DIR "/unit/clip_small.jsonl");
  std::string line;
  ASSERT_TRUE(std::getline(file, line));
  const std::string merges = parse_json(line, "merges").at("merges");
  const ClipTokenizer tokenizer = ClipTokenizer::parse(merges, "merges");
  EXPECT_EQ(tokenizer.size(), 512 + 300 + 2);
  int compared = 0, repaired = 0;
  while (std::getline(file, line)) {
    const Json record = parse_json(line, "record");
    std::vector<int64_t> want = {tokenizer.start()};
    for (const Json& id : record.value("plain", record.at("ids"))) want.push_back(id);
    want.push_back(tokenizer.end());
    EXPECT_EQ(tokenizer.all_ids(record.at("text")), want) << record.at("text");
    ++compared, repaired += record.contains("plain");
  }
  EXPECT_GT(compared, 150);
  EXPECT_LT(repaired, 5);  // by ftfy, from text decoded with a wrong encoding: not ours to do
}

TEST(ClipTokenizer, PadsAndCutsByEitherRule) {
  const ClipTokenizer keep = ClipTokenizer::parse(kMerges, "merges");
  const ClipTokenizer lose =
      ClipTokenizer::parse(kMerges, "merges", {.too_long = ClipTooLong::lose_end});
  const std::vector<int64_t> all = {518, 513, 515, 513, 519};
  EXPECT_EQ(keep.all_ids("Cat dog  CAT"), all);
  EXPECT_EQ(keep.ids("cat dog cat", 7), (std::vector<int64_t>{518, 513, 515, 513, 519, 0, 0}));
  EXPECT_EQ(keep.ids("cat dog cat", 5), all);
  EXPECT_EQ(keep.ids("cat dog cat", 4), (std::vector<int64_t>{518, 513, 515, 519}));
  EXPECT_EQ(lose.ids("cat dog cat", 4), (std::vector<int64_t>{518, 513, 515, 513}));
  EXPECT_EQ(lose.ids("cat dog cat", 5), all);
  EXPECT_EQ(keep.ids("", 4), (std::vector<int64_t>{518, 519, 0, 0}));
}

TEST(ClipTokenizer, AnExclamationMarkIsAWordOrPadding) {
  const ClipTokenizer word = ClipTokenizer::parse(kMerges, "merges");
  const ClipTokenizer padding =
      ClipTokenizer::parse(kMerges, "merges", {.exclamation = ClipExclamation::padding});
  EXPECT_EQ(word.all_ids("cat!"), (std::vector<int64_t>{518, 513, 256, 519}));
  EXPECT_EQ(word.all_ids("cat!?"), (std::vector<int64_t>{518, 513, 0, 256 + 30, 519}));
  EXPECT_EQ(padding.all_ids("cat!!"), (std::vector<int64_t>{518, 513, 0, 0, 519}));
  EXPECT_EQ(padding.all_ids("cat!dog"), (std::vector<int64_t>{518, 513, 0, 515, 519}));
  EXPECT_EQ(padding.all_ids("cat dog"), word.all_ids("cat dog"));
}

// Runs of one letter: the leftmost of several equal pairs is joined first.
TEST(ClipTokenizer, JoinsFromTheLeft) {
  const ClipTokenizer t = ClipTokenizer::parse(kMerges, "merges");
  const int64_t a = 64, a_end = 64 + 256;
  EXPECT_EQ(t.all_ids("aaaa"), (std::vector<int64_t>{518, 517, a_end, 519}));
  EXPECT_EQ(t.all_ids("aaa"), (std::vector<int64_t>{518, 516, a_end, 519}));
  EXPECT_EQ(t.all_ids("aa"), (std::vector<int64_t>{518, a, a_end, 519}));
}

TEST(ClipTokenizer, LongTextsTakeTimeInProportionAndHaveALimit) {
  const ClipTokenizer t = ClipTokenizer::parse(kMerges, "merges");
  const size_t n = ClipTokenizer::kMostBytes;
  EXPECT_EQ(t.all_ids(std::string(n, 'a')).size(),
            2 + n / 2);  // n - 1 of them in pairs, three at last
  std::string nested = "&";
  while (nested.size() + 8 < n) nested += "amp;";
  EXPECT_EQ(t.all_ids(nested).size(), 3u);  // one "&"
  std::string words;
  while (words.size() + 8 < n) words += "cat dog ";
  EXPECT_EQ(t.ids(words, 4), (std::vector<int64_t>{518, 513, 515, 519}));
  EXPECT_NE(message([&] { t.all_ids(std::string(n + 1, 'a')); }).find("1000001 bytes"),
            std::string::npos);
}

TEST(ClipTokenizer, ReadsTheFormsAVocabularyComesIn) {
  const TempFolder folder;
  const std::string text = std::string("#version: 0.2\r\n") + "c a\r\nca t</w>\r\n";
  const auto put = [&](const std::string& name, const std::string& content) {
    std::ofstream(folder / name, std::ios::binary) << content;
  };
  put("merges.txt", text);
  gzFile zipped = gzopen((folder / "merges.gz").c_str(), "wb");
  gzwrite(zipped, text.data(), static_cast<unsigned>(text.size()));
  gzclose(zipped);
  const std::string plain = "c a\nca t</w>\n";
  for (const char* name : {"merges.txt", "merges.gz", "."}) {
    const ClipTokenizer t = ClipTokenizer::open(folder / name);
    EXPECT_EQ(as_text(t.serialized()), plain) << name;
    EXPECT_EQ(t.all_ids("cat"), (std::vector<int64_t>{514, 513, 515})) << name;
  }
  // What travels in a model's file reads as it was written.
  const ClipTokenizer t = ClipTokenizer::parse(plain, "here");
  EXPECT_EQ(ClipTokenizer::parse(as_text(t.serialized()), "there").serialized(), t.serialized());

  Json vocabulary = Json::object();
  const auto name_of = [](uint32_t c) {  // Latin-1 or a two-byte stand-in
    return c < 0x80 ? std::string(1, static_cast<char>(c))
                    : std::string{static_cast<char>(0xC0 | c >> 6),
                                  static_cast<char>(0x80 | (c & 0x3F))};
  };
  std::vector<std::string> names;
  for (uint32_t c = 33; c < 256; ++c) {
    if (c < 127 || (c > 160 && c != 173)) names.push_back(name_of(c));
  }
  for (uint32_t c = 0x100; names.size() < 256; ++c) names.push_back(name_of(c));
  for (size_t i = 0; i < 256; ++i) names.push_back(names[i] + "</w>");
  for (const char* name : {"ca", "cat</w>", "<|startoftext|>", "<|endoftext|>"})
    names.push_back(name);
  for (const std::string& name : names) vocabulary[name] = vocabulary.size();
  put("vocab.json", vocabulary.dump());
  EXPECT_EQ(ClipTokenizer::open(folder / ".").size(), 516);
  vocabulary["ca"] = 513;
  put("vocab.json", vocabulary.dump());
  EXPECT_NE(message([&] { ClipTokenizer::open(folder / "."); }).find("'ca' has not the id 512"),
            std::string::npos);
  vocabulary["ca"] = 512, vocabulary["more"] = 516;
  put("vocab.json", vocabulary.dump());
  EXPECT_NE(message([&] { ClipTokenizer::open(folder / "."); }).find("has 517 tokens"),
            std::string::npos);
}

TEST(ClipTokenizer, BrokenVocabulariesAreNamedByLine) {
  const auto broken = [](const std::string& merges) {
    return message([&] { ClipTokenizer::parse(merges, "v"); });
  };
  EXPECT_EQ(broken("c a\nc a\n"), "v: line 2: makes 'ca' again");
  EXPECT_EQ(broken("c a\ncat s\n"), "v: line 2: merges 'cat', which no line before makes");
  EXPECT_EQ(broken("c a\ns cat\n"), "v: line 2: merges 'cat', which no line before makes");
  EXPECT_EQ(broken("c\n"), "v: line 1: is not a merge of two parts");
  EXPECT_EQ(broken("c a t\n"), "v: line 1: is not a merge of two parts");
  EXPECT_EQ(broken("c a\n\nd o\n"), "v: line 2: is not a merge of two parts");
  EXPECT_EQ(broken(""), "v: holds no merges of a CLIP vocabulary");
  EXPECT_EQ(broken("#version: 0.2\n"), "v: holds no merges of a CLIP vocabulary");
  EXPECT_NE(broken("\x1f\x8b\x08 \xff\n"), "");
  const TempFolder folder;
  std::ofstream(folder / "cut.gz", std::ios::binary) << "\x1f\x8b\x08"
                                                     << "cut";
  EXPECT_NE(message([&] { ClipTokenizer::open(folder / "cut.gz"); }).find("gzip"),
            std::string::npos);
}

TEST(ClipTokenizer, ChoicesAreWords) {
  EXPECT_EQ(parse_clip_too_long("lose-end", "here"), ClipTooLong::lose_end);
  EXPECT_EQ(parse_clip_exclamation("padding", "here"), ClipExclamation::padding);
  EXPECT_THROW(parse_clip_too_long("1", "here"), Error);
  EXPECT_THROW(parse_clip_exclamation("", "here"), Error);
}

}  // namespace
}  // namespace vq
