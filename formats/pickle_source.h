// The bytes of a pickle, taken one after the other; and the place that messages about it name.
#pragma once

#include <fmt/format.h>

#include <span>
#include <string>
#include <string_view>

#include "formats/bytes.h"
#include "formats/error.h"

namespace vq {

class PickleSource {
 public:
  PickleSource(std::span<const uint8_t> bytes, const std::string& where)
      : bytes_(bytes), where_(where) {}

  // "m.pth: its pickle <what> (byte 17)", at the opcode that was taken last.
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(where_, fmt::format("its pickle {} (byte {})", what, opcode_at_));
  }
  uint8_t opcode() {
    opcode_at_ = at_;
    return byte();
  }
  std::span<const uint8_t> take(uint64_t n) {
    if (n > bytes_.size() - at_) {
      throw Error(where_, fmt::format("its pickle ends in the middle, at byte {}", bytes_.size()));
    }
    const auto part = bytes_.subspan(at_, n);
    at_ += n;
    return part;
  }
  uint8_t byte() { return take(1)[0]; }
  uint16_t half_word() { return load_u16(take(2).data()); }
  uint32_t word() { return load_u32(take(4).data()); }
  uint64_t long_word() { return load_u64(take(8).data()); }
  std::string_view line() {
    const std::string_view rest = as_text(bytes_.subspan(at_));
    const size_t n = rest.find('\n');
    if (n == rest.npos) fail("has a name without an end");
    take(n + 1);
    return rest.substr(0, n);
  }

 private:
  std::span<const uint8_t> bytes_;
  const std::string& where_;
  size_t at_ = 0, opcode_at_ = 0;
};

}  // namespace vq
