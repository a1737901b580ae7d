// What damage does: nothing is silent, nothing costs more than one block, no token is ever wrong,
// and no input takes more memory than the page promises.

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <map>

#include "formats/token_grid.h"
#include "formats/token_header.h"
#include "formats/token_index.h"
#include "tests/golden/token_grid_parts.h"
#include "tests/unit/temp_folder.h"
#include "tests/unit/token_records.h"

namespace vq {
namespace {

constexpr int kBlock = 2;

const GridHeader kHeader = grid_header(2, 3, 512, true);

struct Reading {
  std::vector<TokenRecord> records;
  std::vector<Damage> damage;
  std::string error = "no error";
};

Reading read(Bytes bytes, OnDamage on_damage) {
  Reading reading;
  reading.error = error_of([&] {
    TokenReader reader(Input::memory(std::move(bytes), "m"), on_damage);
    for (TokenRecord record; reader.next(record);) reading.records.push_back(record);
    reading.damage = reader.damage();
  });
  return reading;
}

Bytes joined(const Bytes& a, const Bytes& b) {
  Bytes out = a;
  out.insert(out.end(), b.begin(), b.end());
  return out;
}

// Two streams of three blocks; keys differ, so that every record can be recognised.
class TokenDamage : public ::testing::Test {
 protected:
  TokenDamage() {
    records_ = random_records(kHeader, 12);
    TokenWriterOptions options;
    options.block_records = kBlock;
    const auto middle = records_.begin() + 6;
    first_ = written(kHeader, {records_.begin(), middle}, options);
    bytes_ = joined(first_, written(kHeader, {middle, records_.end()}, options));
    for (const TokenRecord& record : records_) by_key_[record.key] = record;
  }

  // Everything that was read is as it was written; returns how many records are missing.
  size_t missing(const Reading& reading) {
    for (const TokenRecord& record : reading.records) {
      const auto found = by_key_.find(record.key);
      if (found == by_key_.end() || !same_record(found->second, record)) {
        ADD_FAILURE() << "a wrong record: " << record.key;
      }
    }
    return records_.size() - std::min(records_.size(), reading.records.size());
  }

  std::vector<TokenRecord> records_;
  std::map<std::string, TokenRecord> by_key_;
  Bytes first_, bytes_;
};

TEST_F(TokenDamage, EverySingleBit) {
  size_t harmless = 0, reported = 0;
  for (size_t at = 0; at < bytes_.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      SCOPED_TRACE(::testing::Message() << "byte " << at << " bit " << bit);
      Bytes bytes = bytes_;
      bytes[at] ^= static_cast<uint8_t>(1 << bit);
      const Reading stopped = read(bytes, OnDamage::stop);
      const size_t lost_by_stopping = missing(stopped);
      const bool silent = stopped.error == "no error";
      (silent ? harmless : reported) += 1;
      ASSERT_TRUE(!silent || lost_by_stopping == 0);
      // The very first bytes tell a token grid from another kind of file.
      if (at < 4) continue;
      const Reading salvaged = read(bytes, OnDamage::salvage);
      ASSERT_EQ(salvaged.error, "no error");
      ASSERT_LE(missing(salvaged), static_cast<size_t>(kBlock));
      ASSERT_EQ(salvaged.damage.empty(), silent);
      if (!silent) {
        // Stopping and salvaging say the same, and the place is where the bit is.
        EXPECT_EQ(stopped.error, salvaged.damage[0].message);
        EXPECT_LE(salvaged.damage[0].offset, at);
      }
      if (missing(salvaged) > 0) {
        EXPECT_NE(stopped.error.find("lost"), std::string::npos) << stopped.error;
      }
    }
  }
  EXPECT_LT(harmless * 50, reported);  // bits that zstd does not use are few
}

TEST_F(TokenDamage, EveryCut) {
  for (size_t n = 1; n < first_.size(); ++n) {
    const Bytes bytes(first_.begin(), first_.begin() + static_cast<std::ptrdiff_t>(n));
    const Reading stopped = read(bytes, OnDamage::stop);
    const Reading salvaged = read(bytes, OnDamage::salvage);
    missing(stopped);
    EXPECT_EQ(stopped.records.size() % kBlock, 0u);
    if (stopped.error == "no error") {
      EXPECT_EQ(stopped.records.size(), 6u) << n;  // cut behind the end mark: whole, without index
      continue;
    }
    EXPECT_TRUE(n < 4 || salvaged.records.size() == stopped.records.size()) << n;
    if (stopped.error.find("no record is lost") != std::string::npos) continue;  // within the index
    const std::string last =
        stopped.records.empty()
            ? "m: ends before the first record without an end mark; was it cut short?"
            : "m: ends after record " + std::to_string(stopped.records.size() - 1) +
                  " without an end mark; was it cut short?";
    EXPECT_TRUE(n < 4 || stopped.error == last) << n << ": " << stopped.error;
  }
}

TEST_F(TokenDamage, OverwrittenAndDeletedBytes) {
  std::mt19937 random(5);
  for (int i = 0; i < 3000; ++i) {
    Bytes bytes = bytes_;
    const size_t at = 4 + random() % (bytes.size() - 4);
    const size_t n = std::min<size_t>(1 + random() % 40, bytes.size() - at);
    const auto from = bytes.begin() + static_cast<std::ptrdiff_t>(at);
    if (i % 3 == 0) {
      bytes.erase(from, from + static_cast<std::ptrdiff_t>(n));
    } else if (i % 3 == 1) {
      for (size_t j = 0; j < n; ++j) bytes[at + j] = static_cast<uint8_t>(random());
    } else {
      const Bytes copy(from, from + static_cast<std::ptrdiff_t>(n));
      bytes.insert(from, copy.begin(), copy.end());
    }
    const Reading stopped = read(bytes, OnDamage::stop);
    EXPECT_TRUE(missing(stopped) == 0 || stopped.error != "no error");
    const Reading salvaged = read(bytes, OnDamage::salvage);
    EXPECT_TRUE(missing(salvaged) == 0 || !salvaged.damage.empty());
    EXPECT_LE(missing(salvaged), 3u * kBlock);  // 40 bytes may touch two blocks
  }
}

TEST_F(TokenDamage, ALostHeaderIsMadeFromABlock) {
  Bytes bytes = bytes_;
  bytes[20] ^= 1;
  EXPECT_NE(read(bytes, OnDamage::stop).error, "no error");
  TokenReader reader(Input::memory(bytes, "m"), OnDamage::salvage);
  EXPECT_EQ(reader.header().height, 2);
  EXPECT_EQ(reader.header().width, 3);
  EXPECT_EQ(reader.header().codebook_size, 512);
  EXPECT_EQ(reader.header().codec, "0f3a9c01");
  reader.require_codec(kHeader.codec, "codec");
}

// Without its header, nobody knows whether a stream may hold [mask]: its blocks say so.
TEST_F(TokenDamage, ALostHeaderDoesNotCostMasks) {
  GridHeader unmasked = kHeader;
  unmasked.mask = false;
  const Bytes before = written(unmasked, random_records(unmasked, 2));
  const Bytes after = written(kHeader, records_);
  Bytes bytes = joined(before, after);
  bytes[before.size() + 20] ^= 1;
  TokenReader reader(Input::memory(bytes, "m"), OnDamage::salvage);
  uint64_t masked = 0, count = 0;
  for (TokenRecord record; reader.next(record); ++count) {
    if (std::count(record.tokens.begin(), record.tokens.end(), 512) == 0) continue;
    EXPECT_TRUE(reader.stream().mask);
    ++masked;
  }
  EXPECT_EQ(count, 2 + records_.size());
  EXPECT_GT(masked, 0u);
  ASSERT_EQ(reader.damage().size(), 1u);
}

// An index with a right checksum that is of another stream: nothing is lost, and it is named.
TEST_F(TokenDamage, AnIndexThatSaysOtherwise) {
  TokenWriterOptions options;
  options.block_records = 3;
  const std::vector<TokenRecord> records(records_.begin(), records_.begin() + 6);
  const Bytes other = written(kHeader, records, options);
  const auto index_of = [](const Bytes& bytes) {
    const size_t size = index_length(std::span(bytes).last(kIndexFooter));
    return bytes.end() - static_cast<std::ptrdiff_t>(size);
  };
  Bytes bytes(first_.begin(), first_.begin() + (index_of(first_) - first_.begin()));
  bytes.insert(bytes.end(), index_of(other), other.end());
  const Reading salvaged = read(bytes, OnDamage::salvage);
  EXPECT_EQ(salvaged.records.size(), 6u);
  ASSERT_EQ(salvaged.damage.size(), 1u);
  EXPECT_NE(salvaged.damage[0].message.find("does not say where the blocks are; no record is lost"),
            std::string::npos);
  EXPECT_NE(read(bytes, OnDamage::stop).error, "no error");
}

TEST_F(TokenDamage, TextLosesALine) {
  TokenWriterOptions options;
  options.spelling = Spelling::text;
  const Bytes good = written(kHeader, records_, options);
  std::string text(as_text(good));
  const size_t at = text.find("k/4\t");
  text.replace(at + 4, 1, "x");
  Reading salvaged = read({text.begin(), text.end()}, OnDamage::salvage);
  EXPECT_EQ(missing(salvaged), 1u);
  ASSERT_EQ(salvaged.damage.size(), 1u);
  EXPECT_EQ(salvaged.damage[0].first_record, 4u);
  EXPECT_EQ(salvaged.damage[0].offset, at);
  // A line that never ends is passed over, too.
  text = std::string(as_text(good));
  text.insert(text.find("k/4\t"), std::string(3 << 20, 'x') + "\n");
  salvaged = read({text.begin(), text.end()}, OnDamage::salvage);
  EXPECT_EQ(missing(salvaged), 0u);
  EXPECT_EQ(salvaged.damage.size(), 1u);
}

TEST_F(TokenDamage, TheListOfFaultsIsBounded) {
  std::string text = "#" + header_to_line(kHeader, true) + "\n";
  for (int i = 0; i < 5000; ++i) text += "k\tbad\t\n";
  const Reading salvaged = read({text.begin(), text.end()}, OnDamage::salvage);
  EXPECT_EQ(salvaged.damage.size(), 1000u);
  EXPECT_EQ(salvaged.damage.back().message, "and 4001 more places");
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

// Peak memory, in bytes above that of a process that does nothing.
size_t peak_of(const std::function<void()>& work) {
  int ends[2];
  if (::pipe(ends) != 0) return SIZE_MAX;
  const pid_t child = ::fork();
  if (child == 0) {
    rusage before, after;
    ::getrusage(RUSAGE_SELF, &before);
    work();
    ::getrusage(RUSAGE_SELF, &after);
    const size_t kib = static_cast<size_t>(after.ru_maxrss - before.ru_maxrss);
    ::_exit(::write(ends[1], &kib, sizeof kib) == sizeof kib ? 0 : 1);
  }
  size_t kib = 0;
  const bool got = ::read(ends[0], &kib, sizeof kib) == sizeof kib;
  ::waitpid(child, nullptr, 0);
  ::close(ends[0]);
  ::close(ends[1]);
  return got ? kib << 10 : SIZE_MAX;
}

std::string compressed(const std::string& content) {
  const Bytes bytes = FrameCompressor(3).compress(as_bytes(content));
  return {bytes.begin(), bytes.end()};
}

// Inputs made to take as much memory as the rules allow, and more.
TEST_F(TokenDamage, MemoryStaysBelow32MiB) {
  if (kSanitized) GTEST_SKIP() << "sanitizers take memory of their own";
  std::map<std::string, std::string> hostile;
  std::string list = "[";
  while (list.size() + 5 < kMaxRecordJson - 10) list += "[],";
  list += "[]]";
  golden::Header header;
  header.rest = ",\"x\":" + list;
  golden::Block block;
  for (int i = 0; i < 30; ++i)
    block.records.push_back({"k", {1, 2, 3, 4, 5, 6}, "{\"x\":" + list + "}"});
  hostile["json"] = compressed(golden::header_line(header)) +
                    compressed(golden::block_content(header, block)) +
                    compressed(golden::end_line(30, 1));

  // An incompressible frame is as large as its content.
  std::mt19937 random(1);
  std::string noise(kMaxFrameContent, '\0');
  for (char& c : noise) c = static_cast<char>(random());
  hostile["frames"] = golden::frame(golden::header_line(header)) + golden::frame(noise) +
                      golden::frame(noise) + golden::skippable(0x184D2A50, noise);

  TokenIndex index;
  index.header_bytes = 13;
  index.sizes.assign(kMaxIndexBlocks, 0);
  for (uint32_t& size : index.sizes) size = static_cast<uint32_t>(random());
  index.counts.assign(kMaxIndexBlocks, 7);
  FrameCompressor compressor(1);
  const Bytes frame = index_to_frame(index, compressor);
  hostile["index"] = golden::stream({}, {}) + std::string(frame.begin(), frame.end());

  std::string magics;
  while (magics.size() < (2 << 20))
    magics += "\x28\xb5\x2f\xfd\xa4" + golden::le(8 << 20, 4) + golden::le(1, 3);
  hostile["false frames"] = golden::frame(golden::header_line(header)) + magics;
  hostile["a long line"] = "#" + golden::header_line(header) + std::string(5 << 20, 'x');
  hostile["many faults"] = "#" + golden::header_line({});
  for (int i = 0; i < 300000; ++i) hostile["many faults"] += "k\tbad\t\n";

  TempFolder folder;
  for (const auto& [name, content] : hostile) {
    const std::string path = folder.write("hostile", content);
    for (const OnDamage on_damage : {OnDamage::stop, OnDamage::salvage}) {
      const size_t peak = peak_of([&] {
        error_of([&] {
          TokenReader reader(std::vector<std::string>{path}, on_damage);
          for (TokenRecord record; reader.next(record);) {
          }
        });
      });
      EXPECT_LE(peak, size_t{32} << 20) << name;
      RecordProperty(name, std::to_string(peak >> 10));
    }
    const size_t peak = peak_of([&] { error_of([&] { TokenFile file(path); }); });
    EXPECT_LE(peak, size_t{32} << 20) << name;
  }
}

}  // namespace
}  // namespace vq
