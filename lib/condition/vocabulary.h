// Caption -> token ids: a SentencePiece vocabulary trained on the data set's own captions.
//
// Text is normalised by SentencePiece's nmt_nfkc_cf rule (Unicode NFKC, lower case, white space
// folded), so "A  Red circle" and "a red circle" are one caption. The model travels inside the
// diffusion model's file, as bytes.
//
//   ids(caption, S)   S numbers: pieces, then the padding id 0; longer captions are cut after S
//   pieces
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "formats/bytes.h"

namespace vq {

class Vocabulary {
 public:
  // At most `size` pieces; a small data set gets what it needs. Throws vq::Error when there is
  // nothing to learn from.
  static Vocabulary train(const std::vector<std::string>& captions, int size);
  static Vocabulary load(const Bytes& serialized, const std::string& where);

  Vocabulary(Vocabulary&&) noexcept;
  Vocabulary& operator=(Vocabulary&&) noexcept;
  ~Vocabulary();

  int size() const;  // ids are 0 .. size-1; 0 is padding, 1 is unknown
  const Bytes& serialized() const;
  std::vector<int64_t> ids(const std::string& caption, int length) const;
  int count(const std::string& caption) const;   // pieces before cutting
  bool knows(const std::string& caption) const;  // no piece of it is unknown

 private:
  struct State;
  explicit Vocabulary(std::unique_ptr<State>);
  std::unique_ptr<State> state_;
};

}  // namespace vq
