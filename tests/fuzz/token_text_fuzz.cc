// Any bytes as token grids in text: records that keep every rule, or a vq::Error. Written again in
// either spelling they read the same, and text that a writer wrote is written again byte by byte.

#include <cstdlib>
#include <string>

#include "formats/error.h"
#include "formats/token_grid.h"

namespace {

using namespace vq;

Bytes copy_of(const Bytes& bytes, Spelling spelling, OnDamage on_damage) {
  TokenReader reader(Input::memory(bytes, "fuzz"), on_damage);
  GridHeader header = reader.header();
  header.mask = true;  // a later stream may have it
  Bytes copy;
  TokenWriterOptions options;
  options.spelling = spelling;
  options.max_wait = 0;
  options.level = 1;
  TokenWriter writer(Output::memory(&copy), header, options);
  for (TokenRecord record; reader.next(record);) writer.write(record);
  writer.close();
  return copy;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // Frames are the other target's.
  if (size > 4 && (data[0] == 0x28 || data[0] >> 4 == 5) && data[3] != ' ') return 0;
  const Bytes bytes(data, data + size);
  for (const OnDamage on_damage : {OnDamage::stop, OnDamage::salvage}) {
    Bytes text;
    try {
      text = copy_of(bytes, Spelling::text, on_damage);
    } catch (const Error&) {
      continue;
    }
    // From here on nothing may fail.
    const Bytes binary = copy_of(text, Spelling::binary, OnDamage::stop);
    if (copy_of(binary, Spelling::text, OnDamage::stop) != text) std::abort();
  }
  return 0;
}
