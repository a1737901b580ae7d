// zstd frames, one at a time and each whole: compressing content into one, and reading a stream of
// them with every check that token_grid.md asks for ("Frames") before memory is taken.
//
// Law: content is handed out only after its checksum was seen. Memory: one compressed frame and one
// content, so at most 2 x 8 MiB and a little, whatever the input is.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "formats/bytes.h"

namespace vq {

inline constexpr uint32_t kDataMagic = 0xFD2FB528;
inline constexpr uint32_t kSkippableMagic = 0x184D2A50;  // and the 15 after it
inline constexpr uint32_t kIndexMagic = 0x184D2A5A;

// Does this begin a zstd frame of either kind? Looks at four bytes.
bool starts_frame(std::span<const uint8_t> bytes);

// Content -> one data frame with content size and checksum. The compressor begins anew at every
// border (ends of columns): other numbers follow there. Levels 1 .. 19.
class FrameCompressor {
 public:
  explicit FrameCompressor(int level);
  FrameCompressor(FrameCompressor&&) noexcept;
  ~FrameCompressor();
  const Bytes& compress(std::span<const uint8_t> content, std::span<const size_t> borders = {});

 private:
  struct State;
  std::unique_ptr<State> state_;
};

struct Frame {
  enum class Kind { data, skippable };
  Kind kind = Kind::data;
  uint32_t magic = 0;
  uint64_t offset = 0;  // in the input
  uint64_t size = 0;    // of the whole frame
  size_t content_size = 0;
  // Data: the content (buffer is longer than content_size: its memory is used again).
  // Skippable: what lies behind the first 8 bytes.
  Bytes buffer;

  std::span<const uint8_t> content() const { return {buffer.data(), content_size}; }
};

class FrameReader {
 public:
  enum class Result {
    frame,
    end,      // the input ended where a frame would begin
    cut,      // the input ended within a frame
    damaged,  // these bytes break a rule: fault() says which
  };

  explicit FrameReader(Input input);
  FrameReader(FrameReader&&) noexcept;
  FrameReader& operator=(FrameReader&&) noexcept;
  ~FrameReader();

  const std::string& name() const;
  uint64_t offset() const;  // where the next frame begins
  const std::string& fault() const;

  // After cut or damaged nothing is consumed.
  Result next(Frame& frame);
  // Takes back the frame that next() has just given: it broke a rule that is not about frames.
  void unread(const Frame& frame);
  // Moves on to the next place where next() gives a data frame or an index, over at most `limit`
  // bytes; false when there is none (all of it is consumed then).
  bool resync(Frame& scratch, uint64_t limit = UINT64_MAX);
  // True when next() would not wait for input; after waiting for that until then at most.
  bool ready(std::chrono::steady_clock::time_point until = {});

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Reads one frame that is all of `bytes`; throws vq::Error with an empty place.
void read_one_frame(std::span<const uint8_t> bytes, Frame& frame);

// As much of the first frame's content as `bytes` gives, at most `max`; empty when that fails.
std::string peek_content(std::span<const uint8_t> bytes, size_t max);

}  // namespace vq
