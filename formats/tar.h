// A tar archive, member by member: from a file or a pipe, plain or compressed with gzip or zstd.
//
// ustar, GNU long names and pax headers are read; archives one behind the other read as one. Only
// regular files are handed out.
//
// Law: an archive without its end mark is cut off, and that is an error: nothing that is missing is
// silent.   (tar_test.cc)
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "formats/bytes.h"

namespace vq {

struct TarMember {
  std::string name;     // as the archive has it: "./birds/0042.jpg"
  uint64_t size = 0;    // bytes
  uint64_t offset = 0;  // of its bytes in the archive's file, if that is plain
};

class TarReader {
 public:
  // Throws vq::Error when the input is no tar archive.
  explicit TarReader(Input input);
  TarReader(TarReader&&) noexcept;
  ~TarReader();

  // False at the end, and from then on. Throws vq::Error at the archive: damaged, cut off.
  bool next(TarMember& member);
  // All of the member that next() gave last; throws where it has more than max_bytes.
  Bytes read(uint64_t max_bytes);

  const std::string& name() const;  // of the input
  // Can a member be read later from its offset, in a file that is not compressed? Known after the
  // first next().
  bool plain() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace vq
