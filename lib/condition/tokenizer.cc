#include "lib/condition/tokenizer.h"

#include "formats/error.h"

namespace vq {
namespace {

[[noreturn]] void no_tokenizer() { throw Error("", "the model reads no captions"); }

}  // namespace

int64_t Tokenizer::size() const {
  if (const auto* v = trained()) return v->size();
  if (const auto* c = clip()) return c->size();
  no_tokenizer();
}

const Bytes& Tokenizer::serialized() const {
  if (const auto* v = trained()) return v->serialized();
  if (const auto* c = clip()) return c->serialized();
  no_tokenizer();
}

std::vector<int64_t> Tokenizer::ids(const std::string& caption, int length) const {
  if (const auto* v = trained()) return v->ids(caption, length);
  if (const auto* c = clip()) return c->ids(caption, length);
  no_tokenizer();
}

int64_t Tokenizer::count(const std::string& caption) const {
  if (const auto* v = trained()) return v->count(caption);
  if (const auto* c = clip()) return static_cast<int64_t>(c->all_ids(caption).size());
  no_tokenizer();
}

bool Tokenizer::knows(const std::string& caption) const {
  if (const auto* v = trained()) return v->knows(caption);
  if (clip()) return true;
  no_tokenizer();
}

}  // namespace vq
