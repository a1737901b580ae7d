#include "formats/token_grid.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "formats/token_frames.h"
#include "tests/unit/pipe.h"
#include "tests/unit/temp_folder.h"
#include "tests/unit/token_records.h"

namespace vq {
namespace {

const GridHeader kHeader = grid_header(4, 5, 512, true);

TokenReader reader_of(Bytes bytes, OnDamage on_damage = OnDamage::stop) {
  return TokenReader(Input::memory(std::move(bytes), "m"), on_damage);
}

std::vector<TokenRecord> all_of(TokenReader& reader) {
  std::vector<TokenRecord> records;
  for (TokenRecord record; reader.next(record);) records.push_back(record);
  return records;
}

void expect_same(const std::vector<TokenRecord>& a, const std::vector<TokenRecord>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(same_record(a[i], b[i])) << i;
}

TokenWriterOptions text_options() {
  TokenWriterOptions options;
  options.spelling = Spelling::text;
  return options;
}

TokenWriterOptions blocks_of(int records) {
  TokenWriterOptions options;
  options.block_records = records;
  return options;
}

std::string write_file_of(const TempFolder& folder, const std::string& name,
                          const GridHeader& header, const std::vector<TokenRecord>& records,
                          const TokenWriterOptions& options = {}) {
  write_file(folder / name, written(header, records, options), true);
  return folder / name;
}

size_t count_frames(Bytes bytes) {
  FrameReader frames(Input::memory(std::move(bytes), "m"));
  Frame frame;
  size_t n = 0;
  while (frames.next(frame) == FrameReader::Result::frame) ++n;
  return n;
}

TEST(TokenGrid, ReadsWhatWasWritten) {
  const auto records = random_records(kHeader, 700);
  for (const int level : {1, 3, 19}) {
    for (const int block : {1, 7, 256, 65535}) {
      TokenWriterOptions options = blocks_of(block);
      options.level = level;
      TokenReader reader = reader_of(written(kHeader, records, options));
      EXPECT_EQ(reader.header().codebook_size, 512);
      expect_same(all_of(reader), records);
      EXPECT_EQ(reader.records(), 700u);
      EXPECT_EQ(reader.where(), "m: record 699 (k/699)");
    }
  }
}

TEST(TokenGrid, TextIsTheSameStream) {
  GridHeader header = kHeader;
  header.history.push_back({{"tool", "vq-encode"}});
  header.more["note"] = "x";
  const auto records = random_records(header, 300);
  const Bytes text = written(header, records, text_options());
  const Bytes binary = written(header, records);
  TokenReader from_text = reader_of(text), from_binary = reader_of(binary);
  expect_same(all_of(from_text), records);
  EXPECT_EQ(written(from_text.header(), records), binary);
  EXPECT_EQ(written(from_binary.header(), all_of(from_binary), text_options()), text);
}

TEST(TokenGrid, LinesMayBeFilteredAndMoved) {
  const auto records = random_records(kHeader, 50);
  std::string text(as_text(written(kHeader, records, text_options())));
  const std::string header = text.substr(0, text.find('\n') + 1);
  text.erase(0, header.size());
  TokenReader headless = reader_of({text.begin(), text.end()});  // grep
  expect_same(all_of(headless), records);
  EXPECT_EQ(headless.header().codec, "0f3a9c01d2e4b576");
  EXPECT_TRUE(headless.header().mask);
  headless.require_codec(kHeader.codec, "codec.safetensors");
  text += header;  // sort
  TokenReader sorted = reader_of({text.begin(), text.end()});
  expect_same(all_of(sorted), records);
  EXPECT_EQ(sorted.where(), "m: line 50 (k/49)");
}

// A header line that announces no [mask], between records that have some: order means nothing.
TEST(TokenText, ARecordsOwnColumnSaysWhetherItMayBeMasked) {
  const std::string masked = "a\t1x2:4_:\t1 _\t{}\n", plain = "b\t1x2:4:\t1 2\t{}\n";
  const std::string header =
      R"(#{"format":"vq-token-grid","version":1,)"
      R"("height":1,"width":2,"codebook_size":4,"mask":false})"
      "\n";
  for (const std::string& text : {masked + header + masked, header + plain + masked}) {
    TokenReader reader = reader_of({text.begin(), text.end()});
    EXPECT_EQ(all_of(reader).size(), 2u) << text;
  }
}

TEST(TokenGrid, HistoryMayBeLeftOut) {
  GridHeader header = kHeader, other = kHeader;
  header.history.push_back({{"tool", "vq-sample"}, {"arguments", {"-b", "1"}}});
  other.history.push_back({{"tool", "vq-sample"}, {"arguments", {"-b", "7"}}});
  TokenWriterOptions options;
  options.history = false;
  EXPECT_EQ(written(header, {}, options), written(other, {}, options));
  EXPECT_NE(written(header, {}), written(other, {}));
}

TEST(TokenGrid, BlocksCloseByCountSizeAndFlush) {
  const auto records = random_records(kHeader, 10);
  EXPECT_EQ(count_frames(written(kHeader, records, blocks_of(3))), 4u + 3);
  // 16 bits a token, 4096 tokens: 128 records are 1 MiB.
  const GridHeader large = grid_header(64, 64, 65536, false);
  EXPECT_EQ(count_frames(written(large, random_records(large, 130))), 2u + 3);
  Bytes bytes;
  TokenWriter writer(Output::memory(&bytes), kHeader);
  writer.write(records[0]);
  writer.flush();
  const size_t after_one = bytes.size();
  writer.flush();  // nothing to say
  EXPECT_EQ(bytes.size(), after_one);
  writer.close();
  TokenReader reader = reader_of(bytes);
  EXPECT_EQ(all_of(reader).size(), 1u);
}

TEST(TokenGrid, AFileDoesNotDependOnTime) {
  TempFolder folder;
  const auto records = random_records(kHeader, 3);
  TokenWriterOptions options;
  options.max_wait = 0.001;
  TokenWriter writer(Output::open(folder / "a", false), kHeader, options);
  for (const TokenRecord& record : records) {
    writer.write(record);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  writer.close();
  EXPECT_EQ(read_file(folder / "a"), written(kHeader, records));
}

TEST(TokenGrid, ARecordGoesOnBeforeItsBlockIsFull) {
  Pipe pipe;
  const auto records = random_records(kHeader, 2);
  TokenWriterOptions options;
  options.max_wait = 0.05;
  TokenWriter writer(Output::open(pipe.name(1), true), kHeader, options);
  TokenReader reader(std::vector<std::string>{pipe.name(0)});
  reader.header();
  EXPECT_FALSE(reader.ready());
  TokenRecord record;
  for (const TokenRecord& expected : records) {
    const auto start = std::chrono::steady_clock::now();
    writer.write(expected);
    ASSERT_TRUE(reader.next(record));
    const std::chrono::duration<double> waited = std::chrono::steady_clock::now() - start;
    EXPECT_TRUE(same_record(record, expected));
    EXPECT_LT(waited.count(), 5);  // 0.05 on a machine that has nothing else to do
    EXPECT_FALSE(reader.ready());
  }
  writer.write(records[0]);
  writer.close();
  while (!reader.ready()) {
  }
  EXPECT_TRUE(reader.next(record));
}

TEST(TokenGrid, WhatTheTimerCannotWriteTheNextCallSays) {
  const auto old = ::signal(SIGPIPE, SIG_IGN);
  Bytes sink;
  std::string said;
  {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    TokenWriterOptions options;
    options.max_wait = 0.01;
    TokenWriter writer(Output::open("/dev/fd/" + std::to_string(ends[1]), true), kHeader, options);
    ::close(ends[0]);
    const auto records = random_records(kHeader, 1);
    said = error_of([&] {
      for (int i = 0; i < 500; ++i) {
        writer.write(records[0]);
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
      }
    });
    EXPECT_EQ(error_of([&] { writer.close(); }), said);
    ::close(ends[1]);
  }
  EXPECT_NE(said.find("Broken pipe"), std::string::npos) << said;
  ::signal(SIGPIPE, old);
}

TEST(TokenGrid, NotClosedIsNotWhole) {
  TempFolder folder;
  const auto records = random_records(kHeader, 3);
  {
    TokenWriter writer(Output::open(folder / "a", false), kHeader);
    writer.write(records[0]);
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  Bytes bytes;
  {
    TokenWriter writer(Output::memory(&bytes), kHeader, blocks_of(1));
    for (const TokenRecord& record : records) writer.write(record);
  }
  TokenReader reader = reader_of(bytes);
  EXPECT_EQ(error_of([&] { all_of(reader); }),
            "m: ends after record 2 without an end mark; was it cut short?");
}

TEST(TokenGrid, ABadRecordIsNamed) {
  TempFolder folder;
  for (const Spelling spelling : {Spelling::binary, Spelling::text}) {
    TokenWriterOptions options;
    options.spelling = spelling;
    Bytes bytes;
    TokenWriter writer(Output::memory(&bytes, "out.vqt"), kHeader, options);
    auto records = random_records(kHeader, 2);
    writer.write(records[0]);
    records[1].tokens[3] = 700;
    EXPECT_EQ(error_of([&] { writer.write(records[1]); }),
              "out.vqt: record 1 (k/1): token 700 is outside the codebook (0..511)");
    EXPECT_EQ(writer.records(), 1u);
  }
}

TEST(TokenGrid, SeveralInputsAreOneStream) {
  TempFolder folder;
  const auto a = random_records(kHeader, 5), b = random_records(kHeader, 3, 9);
  std::vector<TokenRecord> both = a;
  both.insert(both.end(), b.begin(), b.end());
  const std::string first = write_file_of(folder, "a", kHeader, a);
  const std::string second = write_file_of(folder, "b", kHeader, b, text_options());
  TokenReader reader({first, second});
  expect_same(all_of(reader), both);
  EXPECT_EQ(reader.where(), second + ": line 4 (k/2)");

  Bytes joined = read_file(first);
  const Bytes more = written(kHeader, b);
  joined.insert(joined.end(), more.begin(), more.end());
  TokenReader cat = reader_of(joined);
  expect_same(all_of(cat), both);
  EXPECT_EQ(cat.where(), "m: record 7 (k/2)");
}

TEST(TokenGrid, StreamsThatDoNotFitAreRefused) {
  TempFolder folder;
  const GridHeader other = grid_header(5, 4, 512, true);
  const std::string a = write_file_of(folder, "a", kHeader, random_records(kHeader, 1));
  for (const bool text : {false, true}) {
    const std::string b = write_file_of(folder, "b", other, random_records(other, 1),
                                        text ? text_options() : TokenWriterOptions{});
    TokenReader reader({a, b});
    EXPECT_EQ(error_of([&] { all_of(reader); }, folder.path()),
              std::string(text ? "b: line 1" : "b") +
                  ": has grids of 5x4 where the tokens before it have 4x5");
  }
}

TEST(TokenGrid, OnlyItsOwnCodec) {
  const auto said = [](const std::string& made_with, const std::string& needed) {
    GridHeader header = kHeader;
    header.codec = made_with;
    TokenReader reader = reader_of(written(header, {}));
    return error_of([&] { reader.require_codec(needed, "codec.safetensors"); });
  };
  const std::string a(64, 'a'), b(64, 'b');
  EXPECT_EQ(said(a, a), "no error");
  EXPECT_EQ(said(a.substr(0, 16), a), "no error");
  EXPECT_EQ(said(a, b),
            "m: was made with codec aaaaaaaaaaaaaaaa; codec.safetensors is codec bbbbbbbbbbbbbbbb");
  EXPECT_EQ(said("", b), "m: does not say which codec made its tokens");
}

TEST(TokenGrid, OtherFilesGetAHint) {
  TempFolder folder;
  const auto said = [&](const std::string& content) {
    return error_of([&] { TokenReader({folder.write("f", content)}).header(); }, folder.path());
  };
  EXPECT_EQ(said("\x89PNG\r\n\x1a\n........"), "f: is not a token grid but a PNG image");
  EXPECT_EQ(said(std::string(100, '\x02')), "f: is not a token grid");
  EXPECT_EQ(said(""), "f: is empty; a token grid has at least a header");
  EXPECT_EQ(said("{\"image\":\"a.png\"}\n"), "f: is not a token grid but JSON");
  EXPECT_EQ(said("hello\n").substr(0, 21), "f: line 1: '' is not ");
  EXPECT_EQ(error_of([] { TokenReader({"/no"}).header(); }),
            "/no: cannot open: No such file or directory");
}

TEST(TokenFile, RecordsByNumberAlsoAfterCat) {
  TempFolder folder;
  const auto a = random_records(kHeader, 23), b = random_records(kHeader, 4, 9);
  Bytes bytes;
  std::vector<TokenRecord> all;
  for (const auto* part : {&a, &b, &a}) {
    const Bytes more = written(kHeader, *part, blocks_of(part == &b ? 256 : 5));
    bytes.insert(bytes.end(), more.begin(), more.end());
    all.insert(all.end(), part->begin(), part->end());
  }
  write_file(folder / "f", bytes, false);
  TokenFile file(folder / "f");
  EXPECT_EQ(file.size(), 50u);
  EXPECT_EQ(file.header().codec, kHeader.codec);
  std::mt19937 random(1);
  for (int i = 0; i < 500; ++i) {
    const size_t n = i < 50 ? static_cast<size_t>(i) : random() % 50;
    EXPECT_TRUE(same_record(file.read(n), all[n])) << n;
  }
  EXPECT_EQ(error_of([&] { file.read(50); }, folder.path()), "f: has no record 50; it has 50");
}

TEST(TokenFile, RefusesWhatHasNoIndexOrAWrongOne) {
  TempFolder folder;
  const auto records = random_records(kHeader, 9);
  const Bytes good = written(kHeader, records, blocks_of(2));
  const auto said = [&](const Bytes& bytes) {
    folder.write("f", as_text(bytes));
    return error_of([&] {
      TokenFile file(folder / "f");
      for (uint64_t i = 0; i < file.size(); ++i) {
        if (!same_record(file.read(i), records[i % 9])) throw Error("", "a wrong record");
      }
    });
  };
  EXPECT_EQ(said(good), "no error");
  for (size_t at = 0; at < good.size(); ++at) {  // no flip gives a wrong record
    for (int bit = 0; bit < 8; bit += 3) {
      Bytes bytes = good;
      bytes[at] ^= static_cast<uint8_t>(1 << bit);
      EXPECT_NE(said(bytes), "a wrong record") << at;
    }
  }
  Bytes longer = good;
  longer.push_back(0);
  EXPECT_NE(said(longer).find("cannot be read by record number"), std::string::npos);
  longer = good;
  longer.insert(longer.begin(), 0);
  EXPECT_NE(said(longer), "no error");
  EXPECT_NE(said({}), "no error");
}

}  // namespace
}  // namespace vq
