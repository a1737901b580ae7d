#include "lib/scoring/picture_digest.h"

#include <fmt/format.h>

#include <charconv>

#include "formats/bytes.h"

namespace vq {

void PictureDigest::add(const Image& picture) {
  const std::string head =
      fmt::format("{} {} {}", picture.width, picture.height, sha256(picture.rgb));
  const std::string hash = sha256(as_bytes(head));
  const std::lock_guard<std::mutex> guard(lock_);
  uint64_t carry = 0;
  for (size_t i = 0; i < sum_.size(); ++i) {
    uint32_t word = 0;
    const char* digits = hash.data() + 8 * i;
    std::from_chars(digits, digits + 8, word, 16);
    carry += uint64_t{sum_[i]} + word;
    sum_[i] = static_cast<uint32_t>(carry);
    carry >>= 32;
  }
  ++count_;
}

std::string PictureDigest::digest() const {
  std::string text = fmt::format("{}", count_);
  for (const uint32_t word : sum_) text += fmt::format(" {:08x}", word);
  return sha256(as_bytes(text));
}

}  // namespace vq
