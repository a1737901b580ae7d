// What TokenReader reads from: one input in one of the two spellings.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "formats/bytes.h"
#include "formats/error.h"
#include "formats/token_grid.h"

namespace vq {

// What the sources of one reader share.
struct ReadContext {
  OnDamage on_damage = OnDamage::stop;
  std::vector<Damage> damage;
  std::optional<GridHeader> header;  // of the first stream
  uint64_t blocks = 0, streams = 0;  // see TokenReader

  // The first header is kept; a later one must fit. Throws at `where`.
  void accept(const GridHeader& next, const std::string& where);
  // Stop: throws `error`. Salvage: notes it. A list of at most 1000 faults; the last counts the
  // rest.
  void fault(uint64_t offset, uint64_t first_record, const Error& error);

 private:
  uint64_t unlisted_ = 0;
};

class TokenSource {
 public:
  virtual ~TokenSource() = default;
  // Reads far enough that the context has a header, or until the input ends.
  virtual void read_header() = 0;
  virtual bool next(TokenRecord& record) = 0;
  // True when next() would not wait; after waiting for that until then at most.
  virtual bool ready(std::chrono::steady_clock::time_point until) = 0;
  virtual std::string where() const = 0;  // of the last record: "cub.vqt: record 118 (bird_0042)"
  virtual uint64_t number() const = 0;    // of the last record, lost ones counted
  virtual uint64_t end() const = 0;       // number that a record behind the last one would have
  virtual const GridHeader& stream() const = 0;  // of the last record
};

// Tells the spelling from the first bytes; throws with a hint when it is neither.
std::unique_ptr<TokenSource> open_token_source(Input input, ReadContext& context);

std::unique_ptr<TokenSource> make_binary_source(Input input, ReadContext& context);
std::unique_ptr<TokenSource> make_text_source(Input input, ReadContext& context);

}  // namespace vq
