#include "formats/token_frames.h"

#include <gtest/gtest.h>

#include <chrono>
#include <random>

#include "formats/token_header.h"
#include "tests/golden/token_grid_parts.h"
#include "tests/unit/pipe.h"
#include "tests/unit/temp_folder.h"

namespace vq {
namespace {

using Result = FrameReader::Result;

FrameReader reader_of(const std::string& bytes) {
  return FrameReader(Input::memory(Bytes(bytes.begin(), bytes.end()), "m"));
}

Bytes mixed_bytes(size_t n) {
  std::mt19937 random(1);
  Bytes bytes(n);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random() % (random() % 7 == 0 ? 256 : 4));
  return bytes;
}

TEST(TokenFrames, CompressAndRead) {
  for (const int level : {1, 3, 12, 13, 19}) {
    FrameCompressor compressor(level);
    for (const size_t n : {1u, 255u, 256u, 65791u, 65792u, 300000u}) {
      const Bytes content = mixed_bytes(n);
      const std::vector<size_t> borders = {n / 3, n / 2, n};
      for (const auto& at : {std::vector<size_t>{}, borders}) {
        const Bytes bytes = compressor.compress(content, at);
        Frame frame;
        read_one_frame(bytes, frame);
        EXPECT_TRUE(std::equal(content.begin(), content.end(), frame.content().begin(),
                               frame.content().end()))
            << n << " level " << level;
        EXPECT_EQ(frame.size, bytes.size());
      }
    }
  }
  EXPECT_NE(error_of([] { FrameCompressor(0); }), "no error");
  EXPECT_NE(error_of([] { FrameCompressor(20); }), "no error");
  EXPECT_NE(error_of([] { FrameCompressor(1).compress(Bytes(kMaxFrameContent + 1)); }), "no error");
}

// A part of a frame is none, however often more of it comes.
TEST(TokenFrames, WaitsForAWholeFrameAndNoLonger) {
  using Clock = std::chrono::steady_clock;
  const std::string bytes = golden::frame("content");
  Pipe pipe;
  FrameReader reader(Input::open(pipe.name(0)));
  const auto wait = [&](int milliseconds) {
    return reader.ready(Clock::now() + std::chrono::milliseconds(milliseconds));
  };
  EXPECT_FALSE(reader.ready());
  for (size_t i = 0; i < bytes.size(); ++i) {
    ASSERT_EQ(::write(pipe.ends[1], &bytes[i], 1), 1);
    const auto asked = Clock::now();
    const bool whole = i + 1 == bytes.size();
    ASSERT_EQ(wait(5), whole) << i;
    EXPECT_TRUE(whole || Clock::now() - asked >= std::chrono::milliseconds(5)) << i;
  }
  Frame frame;
  EXPECT_EQ(reader.next(frame), Result::frame);
  EXPECT_FALSE(wait(5));
  pipe.end();
  EXPECT_TRUE(wait(60000));
  EXPECT_EQ(reader.next(frame), Result::end);
}

// The limit is of the whole frame, its checksum included.
TEST(TokenFrames, HowMuchLongerThanItsContent) {
  const std::string plain = golden::frame("x");
  const size_t head = 6;
  for (const int over : {0, 1}) {
    // One byte of content behind pieces without any, of 3 bytes each; the content size takes more
    // or fewer bytes, which gives every length.
    const std::string magic = plain.substr(0, 4);
    std::string bytes;
    for (int size_bytes : {1, 4, 8}) {
      const char code = size_bytes == 1 ? 0 : size_bytes == 4 ? 2 : 3;
      std::string start = magic + static_cast<char>(code << 6 | 0x24) + golden::le(1, size_bytes);
      const size_t wanted = 1 + kMaxFrameOverhead + static_cast<size_t>(over);
      const size_t left = wanted - start.size() - (plain.size() - head);
      if (left % 3 != 0) continue;
      for (size_t i = 0; i < left / 3; ++i) start += std::string(3, '\0');
      bytes = start + plain.substr(head);
      ASSERT_EQ(bytes.size(), wanted);
    }
    ASSERT_FALSE(bytes.empty());
    FrameReader reader = reader_of(bytes);
    Frame frame;
    if (over == 0) {
      ASSERT_EQ(reader.next(frame), Result::frame) << reader.fault();
      EXPECT_EQ(as_text(frame.content()), "x");
    } else {
      ASSERT_EQ(reader.next(frame), Result::damaged);
      EXPECT_EQ(reader.fault(), "a frame larger than its content");
    }
  }
}

TEST(TokenFrames, OneAfterTheOther) {
  const std::string bytes = golden::frame("one") + golden::skippable(0x184D2A51, "between") +
                            golden::frame(std::string(200000, 'x'));
  FrameReader reader = reader_of(bytes);
  Frame frame;
  ASSERT_EQ(reader.next(frame), Result::frame);
  EXPECT_EQ(as_text(frame.content()), "one");
  EXPECT_EQ(frame.offset, 0u);
  ASSERT_EQ(reader.next(frame), Result::frame);
  EXPECT_EQ(frame.kind, Frame::Kind::skippable);
  EXPECT_EQ(as_text(frame.content()), "between");
  ASSERT_EQ(reader.next(frame), Result::frame);
  EXPECT_EQ(frame.content_size, 200000u);
  EXPECT_EQ(reader.offset(), bytes.size());
  EXPECT_EQ(reader.next(frame), Result::end);
}

TEST(TokenFrames, EveryCutIsACut) {
  const std::string bytes = golden::frame("hello, frames");
  Frame frame;
  for (size_t n = 1; n < bytes.size(); ++n) {
    FrameReader reader = reader_of(bytes.substr(0, n));
    EXPECT_EQ(reader.next(frame), Result::cut) << n;
    EXPECT_EQ(reader.offset(), 0u);
    EXPECT_FALSE(reader.resync(frame));
  }
}

TEST(TokenFrames, FindsTheNextWholeFrame) {
  const std::string good = golden::frame("good");
  std::string bad = golden::frame("bad" + good.substr(0, 8));
  bad[10] = static_cast<char>(bad[10] ^ 1);
  FrameReader reader = reader_of(bad + "junk \x28\xb5\x2f\xfd junk" + good);
  Frame frame;
  EXPECT_EQ(reader.next(frame), Result::damaged);
  EXPECT_EQ(reader.fault(), "the checksum is wrong");
  ASSERT_TRUE(reader.resync(frame));
  ASSERT_EQ(reader.next(frame), Result::frame);
  EXPECT_EQ(as_text(frame.content()), "good");
  EXPECT_EQ(reader.next(frame), Result::end);
}

TEST(TokenFrames, SearchingStopsAtItsLimit) {
  FrameReader reader = reader_of("junk" + std::string(1000000, 'x') + golden::frame("far away"));
  Frame frame;
  EXPECT_EQ(reader.next(frame), Result::damaged);
  EXPECT_FALSE(reader.resync(frame, 1000));
}

TEST(TokenFrames, ContentCanBePeekedAt) {
  const std::string bytes = golden::frame("hello, frames");
  EXPECT_EQ(peek_content(as_bytes(bytes), 5), "hello");
  EXPECT_EQ(peek_content(as_bytes("nothing"), 5), "");
}

}  // namespace
}  // namespace vq
