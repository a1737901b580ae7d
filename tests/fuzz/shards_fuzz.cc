// Any bytes as a tar shard, compressed or not: samples with unique keys and a picture, or a
// vq::Error.
#include <cstdlib>
#include <set>
#include <string>

#include "formats/dataset_shards.h"
#include "formats/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    vq::ShardReader reader(vq::Input::memory(vq::Bytes(data, data + size), "shard"));
    std::set<std::string> keys;
    for (vq::Example example; reader.next(example);) {
      if (example.key.empty() || !keys.insert(example.key).second) std::abort();
      if (!example.picture.bytes) std::abort();
    }
  } catch (const vq::Error&) {
  }
  return 0;
}
