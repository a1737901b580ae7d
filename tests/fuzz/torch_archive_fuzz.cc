// Any bytes as a PyTorch archive: each tensor that is handed out can be copied, and the tree of the
// other values can be printed. What does not begin as a zip archive is taken as the pickle of one
// with two small storages, so that the fuzzer need not guess offsets.
#include <cstdlib>

#include "formats/error.h"
#include "formats/torch_archive.h"
#include "tests/unit/torch_files.h"

namespace {

vq::Bytes archive_of(std::string_view data) {
  if (data.starts_with("PK")) return {data.begin(), data.end()};
  vq::torch_files::ZipMaker zip;
  zip.add("a/data.pkl", data);
  zip.add("a/data/0", std::string(24, '\1'));
  zip.add("a/data/1", std::string(4, '\2'));
  return zip.finish();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const vq::TorchArchive file(archive_of({reinterpret_cast<const char*>(data), size}), "input");
    for (const std::string& name : file.names()) {
      const vq::TorchTensor& tensor = file.tensor(name);
      if (tensor.bytes() > 1 << 20) continue;  // repeated numbers would only cost time
      if (file.read(name).size() != tensor.bytes()) std::abort();
    }
    if (vq::dump_json(file.values()).empty()) std::abort();
    file.check();
  } catch (const vq::Error&) {
  }
  return 0;
}
