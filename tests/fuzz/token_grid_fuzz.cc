// Any bytes as a token grid: records that keep every rule, or a vq::Error; what was read can be
// written, and reads the same. Checksums would stop nearly every input at the first frame, so the
// first byte may ask for a stream around the rest: a block, or frames of lines, with right
// checksums.

#include <cstdlib>
#include <string>

#include "formats/error.h"
#include "formats/token_frames.h"
#include "formats/token_grid.h"

namespace {

using namespace vq;

void append_frame(Bytes& out, FrameCompressor& compressor, std::string_view content) {
  const Bytes& frame = compressor.compress(as_bytes(content));
  out.insert(out.end(), frame.begin(), frame.end());
}

constexpr std::string_view kHeader =
    R"({"format":"vq-token-grid","version":1,"height":2,"width":3,"codebook_size":300,"mask":true})"
    "\n";

Bytes stream_around(uint8_t kind, std::string_view data) {
  static FrameCompressor compressor(1);
  Bytes out;
  if (kind % 3 == 0) return {data.begin(), data.end()};
  if (kind % 3 == 1) {  // the content of a block
    append_frame(out, compressor, kHeader);
    append_frame(out, compressor, data);
    append_frame(out, compressor, "{\"end\":true,\"records\":1,\"blocks\":1}\n");
    return out;
  }
  while (!data.empty()) {  // contents of frames, separated by zero bytes
    const size_t end = std::min(data.find('\0'), data.size());
    append_frame(out, compressor, data.substr(0, end));
    data.remove_prefix(std::min(end + 1, data.size()));
  }
  return out;
}

void check(const GridHeader& header, const TokenRecord& record) {
  if (record.key.empty() || record.tokens.size() != static_cast<size_t>(header.length()))
    std::abort();
  for (const int32_t token : record.tokens) {
    if (token < 0 || token > header.codebook_size) std::abort();
  }
}

void read_and_write(const Bytes& bytes, OnDamage on_damage) {
  TokenReader reader(Input::memory(bytes, "fuzz"), on_damage);
  GridHeader header = reader.header();
  header.mask = true;  // a later stream may have it
  Bytes copy;
  TokenWriterOptions options;
  options.max_wait = 0;
  options.level = 1;
  TokenWriter writer(Output::memory(&copy), header, options);
  TokenRecord record;
  // A grid of one code takes no bytes, so a small block may hold very many tokens.
  for (int n = 0; n < 200 && reader.next(record); ++n) {
    check(header, record);
    writer.write(record);
  }
  writer.close();
  TokenReader again(Input::memory(copy, "copy"));
  uint64_t n = 0;
  while (again.next(record)) ++n;
  if (n != writer.records()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const Bytes bytes = stream_around(data[0], {reinterpret_cast<const char*>(data) + 1, size - 1});
  for (const OnDamage on_damage : {OnDamage::stop, OnDamage::salvage}) {
    try {
      read_and_write(bytes, on_damage);
    } catch (const Error&) {
    }
  }
  return 0;
}
