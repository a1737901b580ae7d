// Token grids on disk and in pipes: the reader and the writer of what token_grid.md describes.
//
// A stream is a header, records and an end mark; streams may be concatenated. One record is one
// image: height x width tokens, row by row from the top left, each 0 .. codebook_size-1, or
// codebook_size for [mask]; a key; and any JSON members besides ("caption", "captions", "label",
// "seed", "step" have a meaning, see token_grid.md; everything else is kept and passed on).
//
// Laws: reading what was written gives the same records; no damage yields a wrong token: a record
// is handed out only after the checksum of its whole block was seen; `cat a b` reads as a then b.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "formats/bytes.h"
#include "formats/json.h"

namespace vq {

struct GridHeader {
  int height = 0, width = 0;     // of the token grid; height * width <= 65536
  int codebook_size = 0;         // K, 1 .. 65536; [mask] is the token K
  std::string codec;             // identity of the codec: sha256 of its codebook, hexadecimal
  bool mask = false;             // may [mask] occur?
  Json history = Json::array();  // one entry per tool that wrote it, oldest first
  Json more = Json::object();    // further members of the header, kept and passed on

  int length() const { return height * width; }
};

struct TokenRecord {
  std::string key;
  std::vector<int32_t> tokens;  // height * width
  Json more =
      Json::object();  // caption, captions, label, seed, step and whatever the user put there
};

// Throws vq::Error at `where` when two streams cannot be one: grid, codebook size or codec differ.
void check_compatible(const GridHeader& first, const GridHeader& next, const std::string& where);

enum class Spelling { binary, text };

struct TokenWriterOptions {
  Spelling spelling = Spelling::binary;
  int level = 3;            // zstd's; 1 for pipes
  int block_records = 256;  // a block closes when it has so many records,
  double max_wait = 0.2;    // or so many seconds after its first record (binary; 0: never)
  bool history = true;      // false: the header carries no history (byte-exact comparison)
};

struct KeptTokens;  // token_resume.h

class TokenWriter {
 public:
  TokenWriter(Output output, const GridHeader& header, const TokenWriterOptions& options = {});
  // Goes on behind what an unfinished binary file holds (resume_tokens); its header stays.
  TokenWriter(Output output, const KeptTokens& kept, const TokenWriterOptions& options = {});
  TokenWriter(TokenWriter&&) noexcept;
  ~TokenWriter();  // without close() the stream has no end mark, and a file does not appear

  // Throws for a token outside the codebook, [mask] where the header says none, a wrong count, an
  // empty key or one longer than 4096 bytes or with control characters.
  void write(const TokenRecord& record);
  // From now on [mask] may occur although the header says there is none: text says so line by line,
  // and binary begins another stream with such a header. For records that are only passed on.
  void allow_mask();
  void flush();  // closes the block now and hands it to the next program
  uint64_t records() const;
  void close();  // end mark, index, and the output's own close()

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// What a reader does when a block is damaged or the end is missing.
enum class OnDamage { stop, salvage };

struct Damage {
  uint64_t offset = 0;        // of the damaged place in the input
  uint64_t first_record = 0;  // first record number that may be missing
  std::string message;        // as an Error would say it
};

class TokenReader {
 public:
  // Reads the inputs one after the other ("-" is standard input; none means standard input), in
  // either spelling. Streams must fit together (check_compatible) or the reader throws at the seam.
  explicit TokenReader(const std::vector<std::string>& paths, OnDamage on_damage = OnDamage::stop);
  explicit TokenReader(Input input, OnDamage on_damage = OnDamage::stop);
  TokenReader(TokenReader&&) noexcept;
  ~TokenReader();

  const GridHeader& header();      // of the first stream; reads it when not yet read
  bool next(TokenRecord& record);  // false at the end of the last input
  // True when next() would not wait; after waiting for that so many seconds at most.
  bool ready(double seconds = 0);
  uint64_t records() const;  // handed out so far
  uint64_t number() const;   // of the last record in all inputs; lost ones count, too
  uint64_t blocks() const;   // read so far and whole; none in text
  uint64_t streams() const;  // whose header, or first block, was read; none in text
  // Of the stream that the last record came from: its `mask` may differ from header()'s.
  const GridHeader& stream() const;
  std::string where() const;  // "cub.vqt: record 118 (bird_0042)": the last record handed out
  const std::vector<Damage>& damage() const;  // in salvage mode: what was skipped

  // Refuses a stream made with another codec, naming both; call after header().
  void require_codec(const std::string& codec, const std::string& codec_file);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Random access by record number through the index at the end of a seekable file, also of a
// concatenation of streams: at most four reads a record. Throws when a stream has no index.
class TokenFile {
 public:
  explicit TokenFile(const std::string& path);
  TokenFile(TokenFile&&) noexcept;
  ~TokenFile();
  const GridHeader& header() const;
  uint64_t size() const;              // records in all streams of the file
  bool mask(uint64_t record) const;   // does the header of its stream announce [mask]?
  TokenRecord read(uint64_t record);  // 0 .. size()-1

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace vq
