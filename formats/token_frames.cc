#include "formats/token_frames.h"

#include <fmt/format.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>

#include "formats/error.h"
#include "formats/token_header.h"

namespace vq {
namespace {

constexpr size_t kPadding = 8;            // behind content, for BlockUnpacker's loads
constexpr size_t kChecksum = 4;           // at the end of a frame
constexpr size_t kZstdBlock = 128 << 10;  // largest block inside a frame
constexpr size_t kMaxFrame = kMaxFrameContent + kMaxFrameOverhead;
constexpr size_t kReadStep = 64 << 10;
// Levels above this use a parser that in libzstd 1.5.0 .. 1.5.4 could, rarely, write a wrong block.
constexpr int kTrustedLevel = 12;

// The fastest level's own table of 32 KiB fills a core's first cache. What matters in tokens lies
// near: with 8 KiB it is faster, and files grow by half a percent at most (token_grid.md).
constexpr int kFastHashLog = 11;

bool is_skippable(uint32_t magic) { return (magic & 0xFFFFFFF0u) == kSkippableMagic; }

// How far the frame at the front of the window has been understood.
struct Shape {
  FrameReader::Result result = FrameReader::Result::frame;
  uint32_t magic = 0;
  size_t size = 0;  // of the whole frame
  size_t content_size = 0;
  std::string fault;
};

Shape damaged(std::string fault) {
  Shape shape;
  shape.result = FrameReader::Result::damaged;
  shape.fault = std::move(fault);
  return shape;
}

// Bytes of a frame's head, from its first five; 0 when a rule is broken, and `fault` says which.
size_t head_size(uint8_t descriptor, const char*& fault) {
  const int size_code = descriptor >> 6;
  const bool single_segment = descriptor & 0x20;
  if (descriptor & 0x03) fault = "a frame that needs a dictionary";
  if (descriptor & 0x08) fault = "a frame with a reserved bit set";
  if (!(descriptor & 0x04)) fault = "a frame without a checksum";
  if (size_code == 0 && !single_segment) fault = "a frame without its content size";
  if (fault) return 0;
  return 5 + (single_segment ? 0 : 1) + (size_t{1} << size_code);
}

uint64_t content_size_of(const uint8_t* frame, size_t head) {
  switch (frame[4] >> 6) {
    case 0:
      return frame[head - 1];
    case 1:
      return load_u16(frame + head - 2) + 256u;
    case 2:
      return load_u32(frame + head - 4);
    default:
      return load_u64(frame + head - 8);
  }
}

// Walks over a frame without decoding it. `have(n)` makes the first n bytes of it available and
// returns where they are, or null when the input ends before that.
template <class Have>
Shape walk_frame(Have have) {
  const Shape cut{.result = FrameReader::Result::cut, .fault = {}};
  const uint8_t* p = have(5);
  if (!p) return cut;
  Shape shape;
  shape.magic = load_u32(p);
  if (is_skippable(shape.magic)) {
    if (!(p = have(8))) return cut;
    const uint64_t bytes = load_u32(p + 4);
    if (bytes > kMaxFrame) return damaged(fmt::format("a skippable frame of {} bytes", bytes));
    shape.content_size = static_cast<size_t>(bytes);
    shape.size = 8 + shape.content_size;
    return have(shape.size) ? shape : cut;
  }
  if (shape.magic != kDataMagic) return damaged("not the beginning of a zstd frame");
  const char* fault = nullptr;
  const size_t head = head_size(p[4], fault);
  if (fault) return damaged(fault);
  if (!(p = have(head))) return cut;
  const uint64_t content = content_size_of(p, head);
  if (content > kMaxFrameContent) {
    return damaged(fmt::format("a frame of {} bytes; {} are allowed", content, kMaxFrameContent));
  }
  shape.content_size = static_cast<size_t>(content);
  size_t at = head;
  for (bool last = false; !last;) {
    if (!(p = have(at + 3))) return cut;
    const uint32_t block = p[at] | p[at + 1] << 8 | p[at + 2] << 16;
    const int type = block >> 1 & 3;
    last = block & 1;
    if (type == 3 || block >> 3 > kZstdBlock) return damaged("a broken zstd block");
    at += 3 + (type == 1 ? 1 : block >> 3);
    shape.size = at + kChecksum;
    if (shape.size > content + kMaxFrameOverhead) return damaged("a frame larger than its content");
  }
  return have(shape.size) ? shape : cut;
}

struct FreeDCtx {
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};
struct FreeCCtx {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};

// Decodes a frame that walk_frame has approved; an empty string, or what is wrong with it.
std::string decode(ZSTD_DCtx* context, const uint8_t* bytes, const Shape& shape, Frame& frame) {
  frame.magic = shape.magic;
  frame.size = shape.size;
  frame.content_size = shape.content_size;
  // Never smaller than before: clearing memory that zstd writes anyway would be half of its work.
  if (frame.buffer.size() < shape.content_size + kPadding) {
    frame.buffer.resize(shape.content_size + kPadding);
  }
  if (is_skippable(shape.magic)) {
    frame.kind = Frame::Kind::skippable;
    std::copy_n(bytes + 8, shape.content_size, frame.buffer.begin());
    return {};
  }
  frame.kind = Frame::Kind::data;
  const size_t got =
      ZSTD_decompressDCtx(context, frame.buffer.data(), shape.content_size, bytes, shape.size);
  if (ZSTD_isError(got)) {
    return ZSTD_getErrorName(got) == std::string("Restored data doesn't match checksum")
               ? "the checksum is wrong"
               : "broken zstd data";
  }
  return got == shape.content_size ? "" : "broken zstd data";
}

}  // namespace

bool starts_frame(std::span<const uint8_t> bytes) {
  if (bytes.size() < 4) return false;
  const uint32_t magic = load_u32(bytes.data());
  return magic == kDataMagic || is_skippable(magic);
}

struct FrameCompressor::State {
  std::unique_ptr<ZSTD_CCtx, FreeCCtx> context;
  int level;
  Bytes out;

  void run(int at_level, std::span<const uint8_t> content, std::span<const size_t> borders) {
    const auto check = [](size_t result) {
      if (ZSTD_isError(result)) throw Error("zstd", ZSTD_getErrorName(result));
      return result;
    };
    ZSTD_CCtx* c = context.get();
    check(ZSTD_CCtx_reset(c, ZSTD_reset_session_only));
    check(ZSTD_CCtx_setParameter(c, ZSTD_c_compressionLevel, at_level));
    check(ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1));
    if (at_level == 1) check(ZSTD_CCtx_setParameter(c, ZSTD_c_hashLog, kFastHashLog));
    check(ZSTD_CCtx_setPledgedSrcSize(c, content.size()));
    out.resize(ZSTD_compressBound(content.size()) + 16 * (borders.size() + 1));
    ZSTD_outBuffer to{out.data(), out.size(), 0};
    size_t from = 0;
    const auto feed = [&](size_t end, ZSTD_EndDirective how) {
      ZSTD_inBuffer piece{content.data() + from, end - from, 0};
      while (check(ZSTD_compressStream2(c, &to, &piece, how)) != 0) {
      }
      from = end;
    };
    for (const size_t border : borders) {
      if (border < content.size()) feed(border, ZSTD_e_flush);
    }
    feed(content.size(), ZSTD_e_end);
    out.resize(to.pos);
  }
};

FrameCompressor::FrameCompressor(int level) : state_(std::make_unique<State>()) {
  if (level < 1 || level > 19) {
    throw Error::usage("", fmt::format("compression level {} is outside 1..19", level));
  }
  state_->level = level;
  state_->context.reset(ZSTD_createCCtx());
  if (!state_->context) throw Error("zstd", "out of memory");
}
FrameCompressor::FrameCompressor(FrameCompressor&&) noexcept = default;
FrameCompressor::~FrameCompressor() = default;

const Bytes& FrameCompressor::compress(std::span<const uint8_t> content,
                                       std::span<const size_t> borders) {
  State& s = *state_;
  if (content.size() > kMaxFrameContent) throw Error("", "a block is larger than 8 MiB");
  s.run(s.level, content, borders);
  if (s.level <= kTrustedLevel) return s.out;
  Frame check;
  try {
    read_one_frame(s.out, check);
    if (std::equal(content.begin(), content.end(), check.buffer.begin())) return s.out;
  } catch (const Error&) {
    // Written anew below, by the part of the library that has no such fault.
  }
  s.run(kTrustedLevel, content, borders);
  return s.out;
}

// Bytes window[begin, end) are read but not consumed.
struct FrameReader::State {
  Input input;
  std::unique_ptr<ZSTD_DCtx, FreeDCtx> context;
  Bytes window;
  size_t begin = 0, end = 0;
  uint64_t consumed = 0;
  std::string fault;

  explicit State(Input in) : input(std::move(in)), context(ZSTD_createDCtx()) {
    if (!context) throw Error("zstd", "out of memory");
    window.resize(2 * kReadStep);
  }

  size_t buffered() const { return end - begin; }

  void consume(size_t n) {
    begin += n;
    consumed += n;
  }

  // Makes room for n bytes from `begin` on. The window grows only as bytes really come.
  void make_room(size_t n) {
    if (begin + n <= window.size()) return;
    std::memmove(window.data(), window.data() + begin, buffered());
    end -= begin;
    begin = 0;
    if (n <= window.size()) return;
    const size_t grown = std::min(2 * window.size(), kMaxFrame + kReadStep);
    window.resize(std::max(n, grown));
  }

  bool read_more() {
    make_room(buffered() + kReadStep);
    const size_t got = input.read_some(window.data() + end, window.size() - end);
    end += got;
    return got > 0;
  }

  // The first n unconsumed bytes, or null when the input ends before.
  const uint8_t* have(size_t n) {
    while (buffered() < n) {
      if (!read_more()) return nullptr;
    }
    return window.data() + begin;
  }

  Result next(Frame& frame) {
    if (!have(1)) return Result::end;
    const Shape shape = walk_frame([this](size_t n) { return have(n); });
    if (shape.result != Result::frame) {
      fault = shape.fault;
      return shape.result;
    }
    frame.offset = consumed;
    fault = decode(context.get(), window.data() + begin, shape, frame);
    if (!fault.empty()) return Result::damaged;
    consume(shape.size);
    return Result::frame;
  }

  // Consumes up to the next place that looks like a data frame or an index.
  bool find_magic(uint64_t limit) {
    const uint64_t stop = consumed + limit;
    while (have(4) && consumed < stop) {
      const uint8_t* p = window.data() + begin;
      const size_t n = buffered() - 3;
      size_t i = 0;
      while (i < n && load_u32(p + i) != kDataMagic && load_u32(p + i) != kIndexMagic) ++i;
      consume(i);
      if (i < n) return true;
    }
    return false;
  }
};

FrameReader::FrameReader(Input input) : state_(std::make_unique<State>(std::move(input))) {}
FrameReader::FrameReader(FrameReader&&) noexcept = default;
FrameReader& FrameReader::operator=(FrameReader&&) noexcept = default;
FrameReader::~FrameReader() = default;

const std::string& FrameReader::name() const { return state_->input.name(); }
uint64_t FrameReader::offset() const { return state_->consumed; }
const std::string& FrameReader::fault() const { return state_->fault; }
FrameReader::Result FrameReader::next(Frame& frame) { return state_->next(frame); }

void FrameReader::unread(const Frame& frame) {
  // The window still holds it: only reading moves bytes.
  state_->begin -= frame.size;
  state_->consumed -= frame.size;
}

bool FrameReader::resync(Frame& scratch, uint64_t limit) {
  State& s = *state_;
  const uint64_t stop = limit < UINT64_MAX - s.consumed ? s.consumed + limit : UINT64_MAX;
  while (s.have(1) && s.consumed < stop) {
    s.consume(1);
    if (!s.find_magic(stop - s.consumed)) break;
    const Shape shape = walk_frame([&s](size_t n) { return s.have(n); });
    if (shape.result != Result::frame) continue;
    if (decode(s.context.get(), s.window.data() + s.begin, shape, scratch).empty()) return true;
  }
  if (s.consumed < stop) s.consume(s.buffered());
  return false;
}

bool FrameReader::ready(std::chrono::steady_clock::time_point until) {
  State& s = *state_;
  while (true) {
    const Shape shape = walk_frame(
        [&s](size_t n) { return s.buffered() >= n ? s.window.data() + s.begin : nullptr; });
    if (shape.result != Result::cut) return true;
    const std::chrono::duration<double> left = until - std::chrono::steady_clock::now();
    if (!s.input.ready_within(left.count())) return false;
    if (!s.read_more()) return true;
  }
}

void read_one_frame(std::span<const uint8_t> bytes, Frame& frame) {
  const Shape shape =
      walk_frame([&](size_t n) { return n <= bytes.size() ? bytes.data() : nullptr; });
  std::string fault = shape.fault;
  if (shape.result == FrameReader::Result::cut) fault = "a frame that is cut short";
  if (fault.empty() && shape.size != bytes.size()) fault = "a frame with something behind it";
  if (fault.empty()) {
    const std::unique_ptr<ZSTD_DCtx, FreeDCtx> context(ZSTD_createDCtx());
    if (!context) throw Error("zstd", "out of memory");
    fault = decode(context.get(), bytes.data(), shape, frame);
  }
  if (!fault.empty()) throw Error("", fault);
}

std::string peek_content(std::span<const uint8_t> bytes, size_t max) {
  const std::unique_ptr<ZSTD_DCtx, FreeDCtx> context(ZSTD_createDCtx());
  std::string content(max, '\0');
  ZSTD_inBuffer from{bytes.data(), bytes.size(), 0};
  ZSTD_outBuffer to{content.data(), content.size(), 0};
  if (!context || ZSTD_isError(ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, 23))) {
    return {};
  }
  while (to.pos < to.size && from.pos < from.size) {
    const size_t left = ZSTD_decompressStream(context.get(), &to, &from);
    if (ZSTD_isError(left) || left == 0) break;
  }
  content.resize(to.pos);
  return content;
}

}  // namespace vq
