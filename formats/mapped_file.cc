#include "formats/mapped_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "formats/error.h"

namespace vq {

MappedFile::MappedFile(const std::string& path, const std::string& kind) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) throw Error::from_errno(path, "cannot open");
  struct stat info;
  const bool known = ::fstat(fd, &info) == 0;
  if (known && S_ISREG(info.st_mode) && info.st_size > 0) {
    size_ = static_cast<size_t>(info.st_size);
    data_ = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, fd, 0);
  }
  const int error = errno;
  ::close(fd);
  if (known && S_ISDIR(info.st_mode)) {
    throw Error(path, fmt::format("is a folder, not a {} file", kind));
  }
  if (known && !S_ISREG(info.st_mode)) {
    throw Error(path, fmt::format("is not a regular file, and {} files are memory-mapped", kind));
  }
  if (data_ == MAP_FAILED || !known) {
    errno = error;
    throw Error::from_errno(path, "cannot map into memory");
  }
}

void MappedFile::forget() const {
  if (data_) ::madvise(data_, size_, MADV_DONTNEED);
}

MappedFile::~MappedFile() {
  if (data_) ::munmap(data_, size_);
}

}  // namespace vq
