// Caption -> token ids, by one of two kinds of tokenizer: a vocabulary trained on the data set's
// captions, or CLIP's. Or none, where nobody reads captions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "formats/bytes.h"
#include "lib/condition/clip_tokenizer.h"
#include "lib/condition/vocabulary.h"

namespace vq {

class Tokenizer {
 public:
  Tokenizer(std::nullopt_t = std::nullopt) {}
  Tokenizer(Vocabulary vocabulary) : is_(std::move(vocabulary)) {}
  Tokenizer(ClipTokenizer clip) : is_(std::move(clip)) {}

  explicit operator bool() const { return is_.index() != 0; }
  const Vocabulary* trained() const { return std::get_if<Vocabulary>(&is_); }
  const ClipTokenizer* clip() const { return std::get_if<ClipTokenizer>(&is_); }

  // These throw vq::Error where there is none.
  int64_t size() const;
  const Bytes& serialized() const;  // what travels in a model's file
  // `length` numbers, padded or cut.
  std::vector<int64_t> ids(const std::string& caption, int length) const;
  // Ids that the caption would need, uncut.
  int64_t count(const std::string& caption) const;
  // No piece of it is unknown; of CLIP's nothing is.
  bool knows(const std::string& caption) const;

 private:
  std::variant<std::monostate, Vocabulary, ClipTokenizer> is_;
};

}  // namespace vq
