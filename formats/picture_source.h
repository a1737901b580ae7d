// Where the bytes of a picture are: in a file of its own, in a stretch of a file (a member of a tar
// shard), or, where that file cannot be gone back to, here.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "formats/bytes.h"
#include "formats/image.h"

namespace vq {

struct PictureSource {
  std::string path;                    // the picture's file, or the shard's
  std::string member;                  // its name in the shard; "" for a file of its own
  uint64_t offset = 0, size = 0;       // of a member that is read when it is needed
  std::shared_ptr<const Bytes> bytes;  // of a member that came in a stream

  PictureSource() = default;
  PictureSource(std::string file) : path(std::move(file)) {}  // NOLINT: a path is a picture

  std::string name() const;  // "photos/1.png", "birds-0.tar: 0042.jpg"
  // Both throw vq::Error at name(), and may be called by several threads at once.
  std::shared_ptr<const Bytes> content() const;  // the file's, or the member's
  Image read() const;
};

}  // namespace vq
