// Any bytes as a CSV or TSV list of images: rows as long as the first, unique keys, or a vq::Error.
// The first byte chooses the separator.
#include <cstdlib>
#include <set>
#include <string>

#include "formats/csv.h"
#include "formats/dataset.h"
#include "formats/error.h"
#include "tests/fuzz/one_file_folder.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const bool tabs = data[0] % 2 == 1;
  const vq::Bytes bytes(data + 1, data + size);
  try {
    vq::Input input = vq::Input::memory(bytes, "list");
    vq::CsvReader reader(input, tabs ? '\t' : ',');
    uint64_t last = 0;
    for (std::vector<std::string> fields; reader.next(fields);) {
      if (fields.empty() || reader.line() <= last) std::abort();
      last = reader.line();
    }
  } catch (const vq::Error&) {
  }
  try {
    vq::Input input = vq::Input::memory(bytes, "list");
    const auto format = tabs ? vq::DatasetFormat::tsv : vq::DatasetFormat::csv;
    const vq::Dataset dataset = vq::read_list(input, vq::fuzz::one_file_folder(), format);
    std::set<std::string> keys;
    for (const vq::Example& example : dataset.examples) {
      if (example.key.empty() || !keys.insert(example.key).second) std::abort();
    }
  } catch (const vq::Error&) {
  }
  return 0;
}
