#include "formats/picture_source.h"

#include <utility>

#include "formats/error.h"

namespace vq {

std::string PictureSource::name() const { return member.empty() ? path : path + ": " + member; }

Image PictureSource::read() const { return decode_image(*content(), name()); }

std::shared_ptr<const Bytes> PictureSource::content() const {
  if (bytes) return bytes;
  if (member.empty()) return std::make_shared<Bytes>(read_file(path, kMaxPictureFile));
  Input input = Input::open(path);
  // A shard that was exchanged since must not cost more memory than it has bytes.
  if (offset > input.size() || size > input.size() - offset) {
    throw Error(name(), "is not where it was: the shard is shorter now");
  }
  input.seek(offset);
  auto content = std::make_shared<Bytes>(size);
  input.read_exactly(content->data(), content->size());
  return content;
}

}  // namespace vq
