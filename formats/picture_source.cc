#include "formats/picture_source.h"

#include <utility>

#include "formats/error.h"

namespace vq {

std::string PictureSource::name() const { return member.empty() ? path : path + ": " + member; }

Image PictureSource::read() const {
  if (member.empty()) return read_image(path);
  if (bytes) return decode_image(*bytes, name());
  Input input = Input::open(path);
  // A shard that was exchanged since must not cost more memory than it has bytes.
  if (offset > input.size() || size > input.size() - offset) {
    throw Error(name(), "is not where it was: the shard is shorter now");
  }
  input.seek(offset);
  Bytes content(size);
  input.read_exactly(content.data(), content.size());
  return decode_image(content, name());
}

}  // namespace vq
