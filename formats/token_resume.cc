#include "formats/token_resume.h"

#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "formats/detect.h"
#include "formats/error.h"
#include "formats/token_block.h"
#include "formats/token_frames.h"
#include "formats/token_header.h"

namespace vq {
namespace {

constexpr size_t kCopyAtOnce = size_t{1} << 20;

bool is_regular(const std::string& path) {
  struct stat info;
  return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

class KeptScan {
 public:
  explicit KeptScan(const std::string& path) : frames_(Input::open(path)) {}

  std::optional<KeptTokens> run() {
    try {
      while (step()) {
      }
    } catch (const Error&) {
      // Behind what is kept there may be anything.
    }
    if (!any_) return std::nullopt;
    return std::move(kept_);
  }

 private:
  // Takes one frame; false where nothing more can be kept.
  bool step() {
    const uint64_t offset = frames_.offset();
    if (frames_.next(frame_) != FrameReader::Result::frame) return false;
    if (frame_.kind == Frame::Kind::skippable) return any_;
    const std::string_view text = as_text(frame_.content());
    if (text.empty() || text[0] != '{') return take_block();
    if (text.starts_with(kEndStart)) {
      if (!open_) return false;
      const EndMark end = end_from_line(text.substr(0, text.size() - 1), "");
      open_ = false;
      return end.records == kept_.records && end.blocks == kept_.blocks;
    }
    if (open_ || !text.ends_with('\n')) return false;
    begin_stream(header_from_line(text.substr(0, text.size() - 1), ""), offset);
    return true;
  }

  void begin_stream(GridHeader header, uint64_t offset) {
    if (any_) check_compatible(kept_.header, header, "");
    kept_.header = std::move(header);
    kept_.begin = offset;
    kept_.bytes = frames_.offset();
    kept_.records = kept_.blocks = 0;
    kept_.index = {};
    kept_.index.header_bytes = static_cast<uint32_t>(kept_.bytes - offset);
    any_ = open_ = true;
  }

  bool take_block() {
    if (!open_) return false;
    const BlockHead head = read_block_head(frame_.content());
    const GridHeader& h = kept_.header;
    if (head.height != h.height || head.width != h.width || head.codebook_size != h.codebook_size ||
        head.codec != codec_tag(h.codec) || head.first != kept_.records) {
      return false;
    }
    const uint64_t size = frame_.size;
    const size_t content = frame_.content_size;
    unpacker_.open(std::exchange(frame_.buffer, {}), content);
    std::vector<std::string> keys;
    for (TokenRecord record; unpacker_.left() > 0;) {
      unpacker_.next(record);
      keys.push_back(std::move(record.key));
    }
    frame_.buffer = unpacker_.release();
    kept_.keys.insert(std::make_move_iterator(keys.begin()), std::make_move_iterator(keys.end()));
    kept_.records += static_cast<uint64_t>(head.records);
    kept_.bytes = frames_.offset();
    if (++kept_.blocks <= kMaxIndexBlocks) {
      kept_.index.sizes.push_back(static_cast<uint32_t>(size));
      kept_.index.counts.push_back(static_cast<uint16_t>(head.records));
    }
    return true;
  }

  FrameReader frames_;
  Frame frame_;
  BlockUnpacker unpacker_;
  KeptTokens kept_;
  bool any_ = false;   // was there a header?
  bool open_ = false;  // within a stream
};

void copy(const std::string& path, uint64_t bytes, Output& output) {
  Input input = Input::open(path);
  Bytes buffer(kCopyAtOnce);
  while (bytes > 0) {
    const auto n = static_cast<size_t>(std::min<uint64_t>(bytes, buffer.size()));
    input.read_exactly(buffer.data(), n);
    output.write({buffer.data(), n});
    bytes -= n;
  }
  output.flush();
}

}  // namespace

std::optional<KeptTokens> keep_whole_blocks(const std::string& path) {
  if (!is_regular(path)) return std::nullopt;
  return KeptScan(path).run();
}

Output resume_tokens(const std::string& path, std::optional<KeptTokens>& kept) {
  if (is_regular(path)) {
    const Format found = detect_file(path);
    if (found != Format::token_grid && found != Format::empty) {
      throw Error(path, std::string("is ") + describe(found) +
                            ", not a token-grid file that could be gone on with");
    }
  }
  // Opened before it is looked at: from here on nobody else writes to it.
  Output output = Output::resume(path);
  kept = keep_whole_blocks(output.part());
  auto finished = keep_whole_blocks(path);
  if (finished && (!kept || finished->bytes > kept->bytes)) {
    output.keep(0);
    copy(path, finished->bytes, output);
    kept = std::move(finished);
  }
  output.keep(kept ? kept->bytes : 0);
  return output;
}

}  // namespace vq
