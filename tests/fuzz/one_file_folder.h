// A folder with one file in it, called "a", so that lists which name it go through; made once.
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <string>

#include "formats/bytes.h"

namespace vq::fuzz {

inline const std::string& one_file_folder() {
  static const std::string path = [] {
    const char* place = std::getenv("TMPDIR");
    std::string name = std::string(place != nullptr ? place : P_tmpdir) + "/vq-fuzz-XXXXXX";
    if (!::mkdtemp(name.data())) std::abort();
    write_file(name + "/a", {}, true);
    return name;
  }();
  return path;
}

}  // namespace vq::fuzz
