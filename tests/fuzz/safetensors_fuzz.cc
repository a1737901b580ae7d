// Any bytes as a safetensors file: each tensor that is handed out lies in the file and fits its
// shape. Half of the inputs are taken as a header alone, so that the fuzzer need not guess its
// length.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "formats/bytes.h"
#include "formats/error.h"
#include "formats/safetensors.h"

namespace {

void read_all(const std::string& path) {
  const vq::SafetensorsFile file(path);
  uint64_t sum = 0;
  for (const std::string& name : file.names()) {
    const vq::TensorView view = file.tensor(name);
    uint64_t bytes = vq::dtype_size(view.dtype);
    for (const int64_t n : view.shape) bytes *= static_cast<uint64_t>(n);
    if (bytes != view.bytes.size()) std::abort();
    for (const uint8_t byte : view.bytes) sum += byte;
  }
  if (sum == UINT64_MAX) std::abort();  // keeps the reads
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  vq::Bytes bytes;
  if (size > 0 && data[0] == '{') {
    vq::append_u64(bytes, size);
    bytes.insert(bytes.end(), data, data + size);
    bytes.resize(bytes.size() + 64);
  } else {
    bytes.assign(data, data + size);
  }
  const int fd = ::memfd_create("safetensors", 0);
  if (fd < 0 || ::write(fd, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) {
    std::abort();
  }
  try {
    read_all("/proc/self/fd/" + std::to_string(fd));
  } catch (const vq::Error&) {
  }
  ::close(fd);
  return 0;
}
