// Writes a tar archive (ustar; GNU's spelling of names that do not fit), member by member, to
// anything that can be written to. Owners and times are left out: the same members give the same
// bytes.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "formats/bytes.h"

namespace vq {

class TarWriter {
 public:
  explicit TarWriter(Output output);
  TarWriter(TarWriter&&) noexcept;
  ~TarWriter();

  // A regular file. Throws vq::Error of the output.
  void add(const std::string& name, std::span<const uint8_t> content);
  void flush();
  void close();  // end mark, and the output's own close()

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace vq
