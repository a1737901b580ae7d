#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "formats/detect.h"
#include "formats/error.h"
#include "formats/token_frames.h"
#include "formats/token_grid.h"
#include "formats/token_header.h"
#include "formats/token_source.h"

namespace vq {
namespace {

constexpr size_t kMaxListed = 1000;  // faults; a hostile input must not fill memory with them
constexpr size_t kFirstBytes = 16;   // a short look: more might wait for a slow writer

}  // namespace

void ReadContext::accept(const GridHeader& next, const std::string& where) {
  if (!header) {
    header = next;
  } else {
    check_compatible(*header, next, where);
  }
}

void ReadContext::fault(uint64_t offset, uint64_t first_record, const Error& error) {
  if (on_damage == OnDamage::stop) throw error;
  if (damage.size() < kMaxListed) {
    damage.push_back({offset, first_record, error.what()});
  } else {
    damage.back().message = fmt::format("and {} more places", ++unlisted_ + 1);
  }
}

std::unique_ptr<TokenSource> open_token_source(Input input, ReadContext& context) {
  const auto first = input.peek(kFirstBytes);
  if (first.empty()) throw Error(input.name(), "is empty; a token grid has at least a header");
  if (starts_frame(first)) return make_binary_source(std::move(input), context);
  Format format = detect(first);
  // A key may begin like JSON or a picture; those have no grid behind the first tab.
  const bool text = format == Format::text || format == Format::token_text;
  if (!text) format = detect(input.peek(kMaxKey + 32));
  if (format == Format::text || format == Format::token_text) {
    return make_text_source(std::move(input), context);
  }
  // The beginning may be what is damaged.
  if (format == Format::unknown && context.on_damage == OnDamage::salvage) {
    return make_binary_source(std::move(input), context);
  }
  const bool known = format != Format::unknown;
  throw Error(
      input.name(),
      std::string("is not a token grid") + (known ? " but " : "") + (known ? describe(format) : ""),
      hint_for(Format::token_grid, format));
}

struct TokenReader::State {
  std::vector<std::string> paths;
  size_t opened = 0;  // paths taken so far
  ReadContext context;
  std::unique_ptr<TokenSource> source;
  std::string name;  // of the first input
  uint64_t records = 0;
  uint64_t before = 0;  // records of the inputs before this one, lost ones counted

  bool open_next() {
    if (opened == paths.size()) return false;
    if (source) before += source->end();
    source = open_token_source(Input::open(paths[opened]), context);
    ++opened;
    return true;
  }
};

TokenReader::TokenReader(const std::vector<std::string>& paths, OnDamage on_damage)
    : state_(std::make_unique<State>()) {
  state_->paths = paths.empty() ? std::vector<std::string>{"-"} : paths;
  state_->name = state_->paths[0] == "-" ? "standard input" : state_->paths[0];
  state_->context.on_damage = on_damage;
}

TokenReader::TokenReader(Input input, OnDamage on_damage) : state_(std::make_unique<State>()) {
  state_->name = input.name();
  state_->context.on_damage = on_damage;
  state_->source = open_token_source(std::move(input), state_->context);
}

TokenReader::TokenReader(TokenReader&&) noexcept = default;
TokenReader::~TokenReader() = default;

const GridHeader& TokenReader::header() {
  State& s = *state_;
  while (!s.context.header) {
    if (!s.source && !s.open_next()) throw Error(s.name, "holds no token grid");
    s.source->read_header();
    if (!s.context.header) s.source.reset();
  }
  return *s.context.header;
}

bool TokenReader::next(TokenRecord& record) {
  State& s = *state_;
  if (!s.context.header) header();
  do {
    if (s.source && s.source->next(record)) {
      ++s.records;
      return true;
    }
  } while (s.open_next());
  return false;
}

bool TokenReader::ready(double seconds) {
  using Clock = std::chrono::steady_clock;
  const auto patience =
      std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  State& s = *state_;
  return !s.source || s.source->ready(Clock::now() + patience);
}

uint64_t TokenReader::records() const { return state_->records; }
uint64_t TokenReader::blocks() const { return state_->context.blocks; }
uint64_t TokenReader::streams() const { return state_->context.streams; }

uint64_t TokenReader::number() const {
  return state_->before + (state_->source ? state_->source->number() : 0);
}

const GridHeader& TokenReader::stream() const {
  return state_->source ? state_->source->stream() : *state_->context.header;
}

std::string TokenReader::where() const {
  return state_->source ? state_->source->where() : state_->name;
}

const std::vector<Damage>& TokenReader::damage() const { return state_->context.damage; }

void TokenReader::require_codec(const std::string& codec, const std::string& codec_file) {
  const std::string& made_with = header().codec;
  if (made_with.empty()) {
    throw Error(state_->name, "does not say which codec made its tokens",
                "give its header the codec of " + codec_file);
  }
  if (same_codec(made_with, codec)) return;
  throw Error(state_->name, fmt::format("was made with codec {}; {} is codec {}",
                                        made_with.substr(0, 16), codec_file, codec.substr(0, 16)));
}

}  // namespace vq
