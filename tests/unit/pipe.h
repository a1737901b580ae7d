// A pipe within one test, with a name for each of its ends.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

namespace vq {

struct Pipe {
  int ends[2] = {-1, -1};  // to read from, to write to

  Pipe() { EXPECT_EQ(::pipe(ends), 0); }
  ~Pipe() {
    ::close(ends[0]);
    end();
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  std::string name(int which) const { return "/dev/fd/" + std::to_string(ends[which]); }
  // Nothing more comes from this side; whoever opened name(1) may still write.
  void end() {
    if (ends[1] >= 0) ::close(ends[1]);
    ends[1] = -1;
  }
};

}  // namespace vq
