#include "lib/condition/clip_tokenizer.h"

#include <unicode/uchar.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <queue>
#include <tuple>
#include <unordered_map>

#include "formats/error.h"
#include "formats/json.h"
#include "lib/condition/clip_clean.h"

namespace vq {
namespace {

constexpr size_t kClipMerges = 48894;
constexpr uint64_t kMostFile = 64 << 20;
constexpr uint32_t kBytes = 256;
constexpr std::string_view kWordEnd = "</w>";

// Bytes that are printable in Latin-1 stand for themselves and come first; the others are written
// as the characters from U+0100 on.
struct ByteIds {
  std::array<uint32_t, kBytes> id_of;         // byte -> id
  std::array<std::string, kBytes> stand_ins;  // id -> how vocabularies write it

  ByteIds() {
    uint32_t id = 0, other = 0x100;
    for (const bool printable : {true, false}) {
      for (uint32_t byte = 0; byte < kBytes; ++byte) {
        const bool is = (byte >= 33 && byte <= 126) || (byte >= 161 && byte != 173);
        if (is != printable) continue;
        id_of[byte] = id;
        const char32_t shown = is ? byte : other++;
        stand_ins[id++] = utf8_of({&shown, 1});
      }
    }
  }
};

const ByteIds& byte_ids() {
  static const ByteIds ids;
  return ids;
}

uint64_t pair_of(uint32_t left, uint32_t right) { return uint64_t{left} << 32 | right; }

// The tokens of a vocabulary by name while it is read.
class Names {
 public:
  Names() {
    for (const std::string& name : byte_ids().stand_ins) add(name);
    for (const std::string& name : byte_ids().stand_ins) add(name + std::string(kWordEnd));
  }
  bool add(const std::string& name) {
    return ids_.emplace(name, static_cast<uint32_t>(ids_.size())).second;
  }
  const uint32_t* find(const std::string& name) const {
    const auto found = ids_.find(name);
    return found == ids_.end() ? nullptr : &found->second;
  }
  size_t size() const { return ids_.size(); }

 private:
  std::unordered_map<std::string, uint32_t> ids_;
};

Bytes unzipped(const Bytes& bytes, const std::string& where) {
  Bytes out(kMostFile);
  z_stream stream = {};
  stream.next_in = const_cast<Bytef*>(bytes.data());
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = out.data();
  stream.avail_out = static_cast<uInt>(out.size());
  constexpr int kGzip = 15 + 16;
  int status = inflateInit2(&stream, kGzip);
  if (status == Z_OK) status = inflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  inflateEnd(&stream);
  if (status != Z_STREAM_END) throw Error(where, "is gzip, but damaged or cut off");
  return out;
}

bool is_letter(char32_t c) {
  // Case is ignored by CLIP's pattern, and this mark is the other case of a letter (iota).
  return u_isalpha(static_cast<UChar32>(c)) || c == 0x345;
}

bool is_number(char32_t c) { return (U_GET_GC_MASK(static_cast<UChar32>(c)) & U_GC_N_MASK) != 0; }

bool is_other(char32_t c) {
  return !is_letter(c) && !is_number(c) && !u_isUWhiteSpace(static_cast<UChar32>(c));
}

bool begins_with(std::u32string_view text, std::u32string_view word) {
  if (text.size() < word.size()) return false;
  return std::equal(word.begin(), word.end(), text.begin(), [](char32_t w, char32_t c) {
    return w == c || (w == 's' && c == 0x17F);  // long s: the case that lower-casing leaves
  });
}

constexpr std::u32string_view kStart = U"<|startoftext|>", kEnd = U"<|endoftext|>";

// Length of the piece that the text begins with; 0: white space.
size_t piece_length(std::u32string_view text) {
  for (const std::u32string_view word :
       {kStart, kEnd, std::u32string_view(U"'s"), std::u32string_view(U"'t"),
        std::u32string_view(U"'re"), std::u32string_view(U"'ve"), std::u32string_view(U"'m"),
        std::u32string_view(U"'ll"), std::u32string_view(U"'d")}) {
    if (begins_with(text, word)) return word.size();
  }
  if (is_number(text[0])) return 1;
  bool (*const kind)(char32_t) = is_letter(text[0]) ? &is_letter : &is_other;
  size_t n = 0;
  while (n < text.size() && kind(text[n])) ++n;
  return n;
}

}  // namespace

const char* clip_word(ClipTooLong choice) {
  return choice == ClipTooLong::lose_end ? "lose-end" : "keep-end";
}

const char* clip_word(ClipExclamation choice) {
  return choice == ClipExclamation::padding ? "padding" : "word";
}

ClipTooLong parse_clip_too_long(const std::string& word, const std::string& where) {
  for (const auto choice : {ClipTooLong::keep_end, ClipTooLong::lose_end}) {
    if (word == clip_word(choice)) return choice;
  }
  throw Error(where,
              "what becomes of long captions is '" + word + "', not one of keep-end, lose-end");
}

ClipExclamation parse_clip_exclamation(const std::string& word, const std::string& where) {
  for (const auto choice : {ClipExclamation::word, ClipExclamation::padding}) {
    if (word == clip_word(choice)) return choice;
  }
  throw Error(where, "what \"!\" is, is '" + word + "', not one of word, padding");
}

struct ClipTokenizer::Table {
  std::unordered_map<uint64_t, uint32_t> merges;  // two ids -> the id they become
  Bytes serialized;

  // Each merge's parts must be there before it and its result new: then the lowest merge of a piece
  // is never one that a later merge makes possible, and pieces can be joined through a queue.
  void add(std::string_view line, const std::string& where, Names& names) {
    const size_t space = line.find(' ');
    const std::string left(line.substr(0, space));
    const std::string right(space == std::string_view::npos ? "" : line.substr(space + 1));
    if (left.empty() || right.empty() || right.find(' ') != std::string::npos)
      throw Error(where, "is not a merge of two parts");
    const uint32_t* a = names.find(left);
    const uint32_t* b = names.find(right);
    if (a == nullptr || b == nullptr || left.ends_with(kWordEnd)) {
      throw Error(where, "merges '" + (a == nullptr || b != nullptr ? left : right) +
                             "', which no line before makes");
    }
    const uint64_t pair = pair_of(*a, *b);
    const auto id = static_cast<uint32_t>(names.size());
    if (!names.add(left + right)) throw Error(where, "makes '" + left + right + "' again");
    merges.emplace(pair, id);
    const std::string text = left + " " + right + "\n";
    serialized.insert(serialized.end(), text.begin(), text.end());
  }

  void encode(std::string_view piece, std::vector<int64_t>& ids) const;
};

// Joins the pair of the lowest id until no pair is in the table; the leftmost of several.
void ClipTokenizer::Table::encode(std::string_view piece, std::vector<int64_t>& ids) const {
  constexpr uint32_t kGone = UINT32_MAX;
  const size_t n = piece.size();
  std::vector<uint32_t> id(n), next(n), before(n);
  for (size_t i = 0; i < n; ++i) {
    id[i] = byte_ids().id_of[static_cast<uint8_t>(piece[i])];
    next[i] = static_cast<uint32_t>(i + 1), before[i] = static_cast<uint32_t>(i - 1);
  }
  id[n - 1] += kBytes;
  using Join = std::tuple<uint32_t, uint32_t, uint64_t>;  // becomes, where, the pair as it was
  std::priority_queue<Join, std::vector<Join>, std::greater<>> queue;
  const auto consider = [&](uint32_t i) {
    if (next[i] >= n) return;
    const uint64_t pair = pair_of(id[i], id[next[i]]);
    const auto found = merges.find(pair);
    if (found != merges.end()) queue.emplace(found->second, i, pair);
  };
  for (size_t i = 0; i + 1 < n; ++i) consider(static_cast<uint32_t>(i));
  while (!queue.empty()) {
    const auto [becomes, i, pair] = queue.top();
    queue.pop();
    if (id[i] == kGone || next[i] >= n || pair_of(id[i], id[next[i]]) != pair) continue;
    const uint32_t right = next[i];
    id[i] = becomes, id[right] = kGone;
    next[i] = next[right];
    if (next[i] < n) before[next[i]] = i;
    consider(i);
    if (i > 0) consider(before[i]);
  }
  for (size_t i = 0; i < n; i = next[i]) ids.push_back(id[i]);
}

ClipTokenizer::ClipTokenizer(std::shared_ptr<const Table> table, ClipTokenizerOptions options)
    : table_(std::move(table)), options_(options) {}

ClipTokenizer ClipTokenizer::parse(std::string_view text, const std::string& where,
                                   ClipTokenizerOptions options) {
  auto table = std::make_shared<Table>();
  Names names;
  for (size_t number = 1; !text.empty() && table->merges.size() < kClipMerges; ++number) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (number == 1 && line.find("#version") != std::string_view::npos) continue;
    if (line.empty() && text.empty()) break;
    table->add(line, where + ": line " + std::to_string(number), names);
  }
  if (table->merges.empty()) throw Error(where, "holds no merges of a CLIP vocabulary");
  return {std::move(table), options};
}

ClipTokenizer ClipTokenizer::open(const std::string& path, ClipTokenizerOptions options) {
  const bool folder = std::filesystem::is_directory(path);
  const std::string file = folder ? path + "/merges.txt" : path;
  Bytes bytes = read_file(file, kMostFile);
  if (bytes.size() > 2 && bytes[0] == 0x1F && bytes[1] == 0x8B) bytes = unzipped(bytes, file);
  ClipTokenizer tokenizer = parse(as_text(bytes), file, options);
  const std::string vocabulary = path + "/vocab.json";
  if (folder && std::filesystem::exists(vocabulary)) tokenizer.check_ids(vocabulary);
  return tokenizer;
}

// vocab.json says each token's id: it must be the one that the merges give it.
void ClipTokenizer::check_ids(const std::string& path) const {
  const Json json = parse_json(as_text(read_file(path, kMostFile)), path);
  if (!json.is_object()) throw Error(path, "is not a list of tokens and their ids");
  const auto expect = [&](const std::string& name, int64_t id) {
    const auto found = json.find(name);
    if (found == json.end() || !found->is_number_integer() || *found != id) {
      throw Error(path, "'" + name + "' has not the id " + std::to_string(id) +
                            ", which the merges give it");
    }
  };
  int64_t id = 0;
  for (const char* ending : {"", "</w>"}) {
    for (const std::string& name : byte_ids().stand_ins) expect(name + ending, id++);
  }
  std::string_view text = as_text(table_->serialized);
  while (!text.empty()) {
    std::string name(text.substr(0, text.find('\n')));
    text.remove_prefix(name.size() + 1);
    name.erase(name.find(' '), 1);
    expect(name, id++);
  }
  expect("<|startoftext|>", id++);
  expect("<|endoftext|>", id++);
  if (static_cast<int64_t>(json.size()) != id)
    throw Error(path, "has " + std::to_string(json.size()) + " tokens, the merges make " +
                          std::to_string(id));
}

int64_t ClipTokenizer::size() const {
  return static_cast<int64_t>(2 * kBytes + table_->merges.size() + 2);
}

const Bytes& ClipTokenizer::serialized() const { return table_->serialized; }

void ClipTokenizer::append_ids(std::string_view utf8, std::vector<int64_t>& ids) const {
  const std::u32string text = clip_clean(utf8);
  std::u32string_view rest = text;
  while (!rest.empty()) {
    const size_t n = piece_length(rest);
    const std::u32string_view piece = rest.substr(0, n);
    rest.remove_prefix(std::max<size_t>(1, n));
    if (piece == kStart || piece == kEnd) {
      ids.push_back(piece == kStart ? start() : end());
    } else if (!piece.empty()) {
      table_->encode(utf8_of(piece), ids);
    }
  }
}

std::vector<int64_t> ClipTokenizer::all_ids(const std::string& text) const {
  if (text.size() > kMostBytes) {
    throw Error("", "a caption of " + std::to_string(text.size()) + " bytes; the most is " +
                        std::to_string(kMostBytes));
  }
  std::vector<int64_t> ids = {start()};
  std::string_view rest = text;
  if (options_.exclamation == ClipExclamation::padding) {
    for (size_t at; (at = rest.find('!')) != std::string_view::npos; rest.remove_prefix(at + 1)) {
      append_ids(rest.substr(0, at), ids);
      ids.push_back(kPadding);
    }
  }
  append_ids(rest, ids);
  ids.push_back(end());
  return ids;
}

std::vector<int64_t> ClipTokenizer::ids(const std::string& text, int length) const {
  std::vector<int64_t> all = all_ids(text);
  const bool cut = all.size() > static_cast<size_t>(length);
  all.resize(static_cast<size_t>(length), kPadding);
  if (cut && options_.too_long == ClipTooLong::keep_end) all.back() = end();
  return all;
}

}  // namespace vq
