// Caption -> token ids as CLIP's tokenizer makes them: byte-pair encoding over UTF-8 bytes.
//
// Text is cleaned, then cut into pieces by CLIP's pattern (contractions such as 's, runs of
// letters, single numerals, runs of anything else but white space); within a piece, bytes are
// joined pair by pair, lowest merge first. The last byte of a piece carries the mark of a word's
// end.
//
//   ids 0 .. 255    bytes, in the order of the printable stand-ins that vocabularies write for them
//   256 .. 511      the same at the end of a word
//   512 ..          one for each merge
//   then            start, end: 49406 and 49407 with CLIP's 48894 merges
//
// Cleaning is clip_clean.h's; where that does what the original does, ids equal the original's.
//                                                    (clip_tokenizer_test.cc, tests/parity)
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "formats/bytes.h"

namespace vq {

// What becomes of more than `length` ids, start and end counted:
//   keep_end   the first length - 1, and the end             (the released code)
//   lose_end   the first length; the end is lost             (Hugging Face diffusers)
enum class ClipTooLong { keep_end, lose_end };
// What "!" is: a word like others, or, as Hugging Face's tokenizer has it where "!" is the padding
// token, id 0 each, cutting the text in two.
enum class ClipExclamation { word, padding };

struct ClipTokenizerOptions {
  ClipTooLong too_long = ClipTooLong::keep_end;
  ClipExclamation exclamation = ClipExclamation::word;
};

const char* clip_word(ClipTooLong choice);      // "keep-end", "lose-end"
const char* clip_word(ClipExclamation choice);  // "word", "padding"
// Throw vq::Error for other words.
ClipTooLong parse_clip_too_long(const std::string& word, const std::string& where);
ClipExclamation parse_clip_exclamation(const std::string& word, const std::string& where);

class ClipTokenizer {
 public:
  static constexpr int64_t kPadding = 0;
  static constexpr size_t kMostBytes = 1000000;  // of a text; more is an error

  // The text of a vocabulary: one merge a line, "left right", the first line left out if it holds
  // "#version"; lines after CLIP's number of merges are not read (the original's file has more).
  // Throws vq::Error naming the line: no two parts, a part that no earlier line made, a merge
  // given twice.
  static ClipTokenizer parse(std::string_view merges, const std::string& where,
                             ClipTokenizerOptions options = {});
  // A file of that form, plain or gzip, or a folder with merges.txt and vocab.json, which must
  // agree.
  static ClipTokenizer open(const std::string& path, ClipTokenizerOptions options = {});

  int64_t size() const;  // of the vocabulary
  int64_t start() const { return size() - 2; }
  int64_t end() const { return size() - 1; }
  const ClipTokenizerOptions& options() const { return options_; }
  // Merges alone, one a line, for parse(): what travels in a model's file.
  const Bytes& serialized() const;

  // start, the text's ids, end, then padding up to `length`.
  std::vector<int64_t> ids(const std::string& text, int length) const;
  // All of them, start and end included.
  std::vector<int64_t> all_ids(const std::string& text) const;

 private:
  struct Table;
  void check_ids(const std::string& vocabulary_json) const;
  void append_ids(std::string_view utf8, std::vector<int64_t>& ids) const;

  ClipTokenizer(std::shared_ptr<const Table> table, ClipTokenizerOptions options);
  std::shared_ptr<const Table> table_;
  ClipTokenizerOptions options_;
};

}  // namespace vq
