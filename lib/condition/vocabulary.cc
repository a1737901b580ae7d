#include "lib/condition/vocabulary.h"

#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

#include <algorithm>
#include <set>

#include "formats/error.h"

// SentencePiece and LibTorch each define a variable of this name, of different types, and the
// loader makes them one: SentencePiece's constructor then writes 32 bytes where LibTorch has four,
// over the mutex behind them, in which TorchScript hung. Programs find this one first: room enough
// for both. LibTorch may read a wild log level from it, which only concerns its messages.
alignas(64) char FLAGS_minloglevel[256];

namespace vq {
namespace {

constexpr size_t kMostSentences = 200000;  // more teach no new pieces and cost minutes

class CaptionIterator : public sentencepiece::SentenceIterator {
 public:
  explicit CaptionIterator(const std::vector<std::string>& captions) : captions_(captions) {}
  bool done() const override { return at_ >= captions_.size(); }
  void Next() override { ++at_; }
  const std::string& value() const override { return captions_[at_]; }
  sentencepiece::util::Status status() const override { return {}; }

 private:
  const std::vector<std::string>& captions_;
  size_t at_ = 0;
};

// Every distinct character needs a piece of its own.
size_t distinct_bytes(const std::vector<std::string>& captions) {
  std::set<char> seen;
  for (const std::string& caption : captions) seen.insert(caption.begin(), caption.end());
  return seen.size();
}

}  // namespace

struct Vocabulary::State {
  sentencepiece::SentencePieceProcessor processor;
  Bytes serialized;
};

Vocabulary::Vocabulary(std::unique_ptr<State> state) : state_(std::move(state)) {}
Vocabulary::Vocabulary(Vocabulary&&) noexcept = default;
Vocabulary& Vocabulary::operator=(Vocabulary&&) noexcept = default;
Vocabulary::~Vocabulary() = default;

Vocabulary Vocabulary::train(const std::vector<std::string>& captions, int size) {
  std::vector<std::string> sentences;
  for (const std::string& caption : captions) {
    if (sentences.size() >= kMostSentences) break;
    if (!caption.empty()) sentences.push_back(caption);
  }
  if (sentences.empty()) throw Error("captions", "there is none to learn a vocabulary from");
  const int at_least = static_cast<int>(distinct_bytes(sentences)) + 8;
  CaptionIterator iterator(sentences);
  std::string model;
  const auto status = sentencepiece::SentencePieceTrainer::Train(
      std::unordered_map<std::string, std::string>{
          {"vocab_size", std::to_string(std::max(size, at_least))},
          {"hard_vocab_limit", "false"},
          {"model_type", "bpe"},  // words of a small set become whole pieces; unigram keeps letters
          {"character_coverage", "1.0"},
          {"normalization_rule_name", "nmt_nfkc_cf"},
          {"pad_id", "0"},
          {"unk_id", "1"},
          {"bos_id", "-1"},
          {"eos_id", "-1"},
          {"num_threads", "1"},  // the same model on every machine
          {"minloglevel", "3"}},
      &iterator, &model);
  if (!status.ok())
    throw Error("captions", "no vocabulary could be learned: " + std::string(status.message()));
  return load(Bytes(model.begin(), model.end()), "captions");
}

Vocabulary Vocabulary::load(const Bytes& serialized, const std::string& where) {
  auto state = std::make_unique<State>();
  const auto status = state->processor.LoadFromSerializedProto(
      {reinterpret_cast<const char*>(serialized.data()), serialized.size()});
  if (!status.ok()) throw Error(where, "not a SentencePiece vocabulary");
  state->serialized = serialized;
  return Vocabulary(std::move(state));
}

int Vocabulary::size() const { return state_->processor.GetPieceSize(); }
const Bytes& Vocabulary::serialized() const { return state_->serialized; }

std::vector<int64_t> Vocabulary::ids(const std::string& caption, int length) const {
  std::vector<int> pieces;
  state_->processor.Encode(caption, &pieces).IgnoreError();
  pieces.resize(static_cast<size_t>(length), 0);
  return {pieces.begin(), pieces.end()};
}

int Vocabulary::count(const std::string& caption) const {
  std::vector<int> pieces;
  state_->processor.Encode(caption, &pieces).IgnoreError();
  return static_cast<int>(pieces.size());
}

bool Vocabulary::knows(const std::string& caption) const {
  std::vector<int> pieces;
  state_->processor.Encode(caption, &pieces).IgnoreError();
  return std::find(pieces.begin(), pieces.end(), 1) == pieces.end();
}

}  // namespace vq
