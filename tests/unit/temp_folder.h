// A folder for one test's files, removed with the test.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "formats/error.h"

namespace vq {

class TempFolder {
 public:
  TempFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "vq-test-XXXXXX").string();
    if (!::mkdtemp(name.data())) throw Error::from_errno(name, "cannot create");
    path_ = name;
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  std::string operator/(std::string_view name) const { return path_ + "/" + std::string(name); }
  const std::string& path() const { return path_; }

  // Writes a file, with the folders above it, and gives its path.
  std::string write(std::string_view name, std::string_view content) const {
    const std::string path = *this / name;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path, std::ios::binary) << content;
    return path;
  }

 private:
  std::string path_;
};

inline std::string file_content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// What the vq::Error thrown by `action` says, without `drop` (the test's folder) in it.
template <class Action>
std::string error_of(Action action, const std::string& drop = {}) {
  try {
    action();
  } catch (const Error& error) {
    std::string text = error.what();
    for (size_t at; !drop.empty() && (at = text.find(drop + "/")) != std::string::npos;) {
      text.erase(at, drop.size() + 1);
    }
    return text;
  }
  return "no error";
}

}  // namespace vq
