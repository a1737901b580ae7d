// Which pictures a set holds, as one number: the same for any order, batch or kind of file.
//
//   digest   sha256 of the count and of the sum (modulo 2^256) of the sha256 of each picture's
//            width, height and RGB bytes
//
// Law: sets of the same pictures have the same digest, others another (for no more than accidents:
// who wants to can construct sets that collide).                       (picture_digest_test.cc)
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <string>

#include "formats/image.h"

namespace vq {

class PictureDigest {
 public:
  void add(const Image& picture);  // may be called by several threads at once
  int64_t count() const { return count_; }
  std::string digest() const;  // 64 hexadecimal digits

 private:
  std::mutex lock_;
  std::array<uint32_t, 8> sum_{};  // lowest first
  int64_t count_ = 0;
};

}  // namespace vq
