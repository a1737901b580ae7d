// A whole regular file, mapped into memory: large files are read where they lie, and only in part.
//
// The map is private and writable: writing changes this process's copy and never the file. A file
// that somebody shortens while it is mapped ends the program (SIGBUS), as everywhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace vq {

class MappedFile {
 public:
  // KIND for the message, "safetensors": what is not a regular file cannot be mapped. An empty file
  // has no bytes. Throws vq::Error.
  MappedFile(const std::string& path, const std::string& kind);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  // Gives back the memory its pages take; they are read again when needed. Whatever was written to
  // them is lost.
  void forget() const;

  std::span<const uint8_t> bytes() const { return {static_cast<const uint8_t*>(data_), size_}; }

 private:
  void* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace vq
