#include "formats/image_stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "formats/detect.h"
#include "formats/error.h"
#include "formats/image_parts.h"

namespace vq {
namespace {

constexpr uint64_t kMaxPicture = kMaxPictureFile;
constexpr size_t kStep = size_t{1} << 20;
constexpr size_t kLook = 4096;  // into what is no picture, for a hint

std::string place(const Input& input) {
  return input.offset() == 0 ? input.name()
                             : fmt::format("{}: picture at byte {}", input.name(), input.offset());
}

// Memory is taken as the bytes come: a length may be a lie.
void take(Input& input, uint64_t n, Bytes& bytes, const std::string& where) {
  if (n > kMaxPicture - std::min(kMaxPicture, uint64_t{bytes.size()})) {
    throw Error(where, fmt::format("the picture has more than {} bytes", kMaxPicture));
  }
  while (n > 0) {
    const auto step = static_cast<size_t>(std::min<uint64_t>(n, kStep));
    const size_t have = bytes.size();
    bytes.resize(have + step);
    const size_t got = input.read(bytes.data() + have, step);
    if (got < step) {
      throw Error(where, fmt::format("the picture ends too early, after {} bytes", have + got));
    }
    n -= step;
  }
}

// Chunks: length, name, content, checksum; the last one is IEND.
void take_png(Input& input, Bytes& bytes, const std::string& where) {
  constexpr size_t kSignature = 8, kHead = 8, kChecksum = 4;
  take(input, kSignature, bytes, where);
  bool last = false;
  while (!last) {
    take(input, kHead, bytes, where);
    const uint8_t* head = bytes.data() + bytes.size() - kHead;
    const uint64_t length = uint64_t{head[0]} << 24 | head[1] << 16 | head[2] << 8 | head[3];
    last = std::memcmp(head + 4, "IEND", 4) == 0;
    take(input, length + kChecksum, bytes, where);
  }
}

void take_pnm(Input& input, Bytes& bytes, const std::string& where) {
  const uint64_t content = take_pnm_header(input, bytes, where);
  take(input, content, bytes, where);
}

class StreamedPictures : public ExampleReader {
 public:
  explicit StreamedPictures(Input input) : input_(std::move(input)) {}

  bool next(Example& example) override {
    auto bytes = std::make_shared<Bytes>();
    if (!take_picture(input_, *bytes)) return false;
    example = {};
    example.key = fmt::format("{:06}", count_);
    example.picture.path = input_.name();
    example.picture.member = fmt::format("picture {}", count_++);
    example.picture.bytes = std::move(bytes);
    return true;
  }

 private:
  Input input_;
  uint64_t count_ = 0;
};

}  // namespace

bool take_picture(Input& input, Bytes& bytes) {
  bytes.clear();
  if (input.peek(1).empty()) return false;
  const std::string where = place(input);
  const std::string_view two = as_text(input.peek(2));
  if (two[0] == 'P' && two.size() == 2 && two[1] >= '1' && two[1] <= '7') {
    take_pnm(input, bytes, where);
    return true;
  }
  const std::string_view start = as_text(input.peek(12));
  if (start.starts_with("\x89PNG\r\n\x1a\n")) {
    take_png(input, bytes, where);
    return true;
  }
  const bool webp = start.starts_with("RIFF") && start.ends_with("WEBP") && start.size() == 12;
  if (!webp && !start.starts_with("\xff\xd8\xff")) {
    throw Error(where, "is not a PNG, JPEG, WebP or PPM image",
                hint_for(Format::png, detect(input.peek(kLook))));
  }
  bytes = input.read_all(kMaxPicture);
  return true;
}

std::unique_ptr<ExampleReader> read_picture_stream(Input input) {
  return std::make_unique<StreamedPictures>(std::move(input));
}

}  // namespace vq
