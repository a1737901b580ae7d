#include "lib/condition/clip_clean.h"

#include <unicode/locid.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include <algorithm>

#include "formats/error.h"
#include "lib/condition/html_entities.h"

namespace vq {
namespace {

constexpr char32_t kUnknown = 0xFFFD;

std::u32string from_icu(const icu::UnicodeString& text) {
  std::u32string all(static_cast<size_t>(text.length()), 0);
  UErrorCode status = U_ZERO_ERROR;
  const int32_t n = text.toUTF32(reinterpret_cast<UChar32*>(all.data()),
                                 static_cast<int32_t>(all.size()), status);
  all.resize(static_cast<size_t>(n));
  return all;
}

icu::UnicodeString to_icu(std::u32string_view text) {
  return icu::UnicodeString::fromUTF32(reinterpret_cast<const UChar32*>(text.data()),
                                       static_cast<int32_t>(text.size()));
}

std::u32string lower(std::u32string_view text) {
  return from_icu(to_icu(text).toLower(icu::Locale::getRoot()));
}

using Normalizer = const icu::Normalizer2* (*)(UErrorCode&);

std::u32string normalised(Normalizer form, std::u32string_view text) {
  UErrorCode status = U_ZERO_ERROR;
  const icu::Normalizer2* normalizer = form(status);
  const icu::UnicodeString result =
      U_SUCCESS(status) ? normalizer->normalize(to_icu(text), status) : icu::UnicodeString();
  if (U_FAILURE(status)) throw Error("Unicode normalisation", u_errorName(status));
  return from_icu(result);
}

bool is_ascii_alnum(char32_t c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

int digit_of(char32_t c, int base) {
  int digit = base;
  if (c >= '0' && c <= '9') digit = static_cast<int>(c - '0');
  if (c >= 'a' && c <= 'f') digit = static_cast<int>(c - 'a') + 10;
  if (c >= 'A' && c <= 'F') digit = static_cast<int>(c - 'A') + 10;
  return digit < base ? digit : -1;
}

std::string ascii(std::u32string_view text) {
  std::string name;
  for (const char32_t c : text) name += c < 0x80 ? static_cast<char>(c) : '?';
  return name;
}

// ---- what HTML makes of character references

// Windows-1252 in the place of the control characters 0x80 .. 0x9F, where it has one.
constexpr char32_t kWindows[32] = {0x20AC, 0x81,   0x201A, 0x192,  0x201E, 0x2026, 0x2020, 0x2021,
                                   0x2C6,  0x2030, 0x160,  0x2039, 0x152,  0x8D,   0x17D,  0x8F,
                                   0x90,   0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
                                   0x2DC,  0x2122, 0x161,  0x203A, 0x153,  0x9D,   0x17E,  0x178};

std::u32string numbered_character(uint32_t n) {
  if (n == 0 || (n >= 0xD800 && n <= 0xDFFF) || n > 0x10FFFF) return {kUnknown};
  if (n >= 0x80 && n <= 0x9F) return {kWindows[n - 0x80]};
  const bool control = (n < 0x20 && n != '\t' && n != '\n' && n != '\f' && n != '\r') || n == 0x7F;
  const bool nothing = (n >= 0xFDD0 && n <= 0xFDEF) || (n & 0xFFFE) == 0xFFFE;
  if (control || nothing) return {};
  return {static_cast<char32_t>(n)};
}

// "#65", "#x41": the number; `end` is where its digits end, and 0 when there are none.
uint32_t parse_number(std::u32string_view text, size_t& end) {
  const bool hex = text.size() > 1 && (text[1] == 'x' || text[1] == 'X');
  const size_t first = hex ? 2 : 1;
  uint32_t n = 0;
  for (end = first; end < text.size(); ++end) {
    const int digit = digit_of(text[end], hex ? 16 : 10);
    if (digit < 0) break;
    n = std::min<uint32_t>(n * (hex ? 16 : 10) + static_cast<uint32_t>(digit), 0x200000);
  }
  if (end == first) end = 0;
  return n;
}

// A name after "&" by HTML's rules, which take the longest known beginning. `used` is 0 when there
// is none.
std::u32string named_character(std::u32string_view text, size_t& used) {
  constexpr size_t kLongest = 32;
  size_t n = 0;
  while (n < text.size() && n < kLongest &&
         std::u32string_view(U"\t\n\f <&#;").find(text[n]) == std::u32string_view::npos) {
    ++n;
  }
  if (n > 0 && n < text.size() && text[n] == ';') ++n;
  const std::string name = ascii(text.substr(0, n));
  for (used = n; used > 1; --used) {
    if (const auto* means = html_entity(std::string_view(name).substr(0, used))) return *means;
  }
  used = 0;
  return {};
}

std::u32string unescape(std::u32string_view text) {
  std::u32string out;
  for (size_t at = 0; at < text.size();) {
    if (text[at] != '&') {
      out += text[at++];
      continue;
    }
    const std::u32string_view rest = text.substr(at + 1);
    size_t used = 0;
    std::u32string means;
    if (!rest.empty() && rest[0] == '#') {
      const uint32_t n = parse_number(rest, used);
      if (used > 0) means = numbered_character(n);
      if (used > 0 && used < rest.size() && rest[used] == ';') ++used;
    } else {
      means = named_character(rest, used);
    }
    out += used > 0 ? means : U"&";
    at += 1 + used;
  }
  return out;
}

// ---- ftfy

// What "&...;" stands for, or nothing: whole references only, and none that stands for ";".
bool whole_reference(std::u32string_view inside, std::u32string& means) {
  if (inside[0] == '#') {
    size_t end = 0;
    const uint32_t n = parse_number(inside, end);
    if (end != inside.size() || n == ';') return false;
    means = numbered_character(n);
    return true;
  }
  const std::u32string* named = html_entity(ascii(inside) + ";");
  if (named != nullptr) means = *named;
  return named != nullptr;
}

// Resolves references again and again until there are none, in one pass: each ";" looks back at
// what was written.
std::u32string resolve_references(std::u32string_view text) {
  constexpr size_t kLongest = 25;  // "#" and 24 letters or digits
  std::u32string out;
  for (const char32_t c : text) {
    out += c;
    if (c != ';') continue;
    const size_t end = out.size() - 1;
    size_t first = end;
    while (first > 0 && end - first < kLongest &&
           (is_ascii_alnum(out[first - 1]) || out[first - 1] == '#')) {
      --first;
    }
    if (first == end || first == 0 || out[first - 1] != '&') continue;
    std::u32string means;
    if (!whole_reference(std::u32string_view(out).substr(first, end - first), means)) continue;
    out.resize(first - 1);
    out += means;
  }
  return out;
}

struct Ligature {
  char32_t from;
  const char32_t* to;
};
constexpr Ligature kLigatures[] = {
    {0x132, U"IJ"},       {0x133, U"ij"},      {0x149, U"\u02BCn"}, {0x1C4, U"D\u017D"},
    {0x1C5, U"D\u017E"},  {0x1C6, U"d\u017E"}, {0x1C7, U"LJ"},      {0x1C8, U"Lj"},
    {0x1C9, U"lj"},       {0x1CA, U"NJ"},      {0x1CB, U"Nj"},      {0x1CC, U"nj"},
    {0x1F1, U"DZ"},       {0x1F2, U"Dz"},      {0x1F3, U"dz"},      {0xFB00, U"ff"},
    {0xFB01, U"fi"},      {0xFB02, U"fl"},     {0xFB03, U"ffi"},    {0xFB04, U"ffl"},
    {0xFB05, U"\u017Ft"}, {0xFB06, U"st"}};

// Removed: controls but tab, line feed, form feed and escape sequences' leftovers; old format
// characters; the byte order mark; interlinear annotation.
bool is_removed(char32_t c) {
  if (c < 0x20) return c != '\t' && c != '\n' && c != '\f' && c != '\r';
  return c == 0x7F || (c >= 0x206A && c <= 0x206F) || c == 0xFEFF || (c >= 0xFFF9 && c <= 0xFFFC);
}

void append_plain(std::u32string& out, char32_t c) {
  for (const Ligature& ligature : kLigatures) {
    if (c != ligature.from) continue;
    for (const char32_t* to = ligature.to; *to != 0; ++to) append_plain(out, *to);
    return;
  }
  if (c == 0x3000) c = ' ';
  if (c == 0x2BC || (c >= 0x2018 && c <= 0x201B)) c = '\'';
  if (c >= 0x201C && c <= 0x201F) c = '"';
  if (c == 0x2028 || c == 0x2029 || c == 0x85) c = '\n';
  out += c;
}

std::u32string plain_characters(std::u32string_view text) {
  std::u32string out;
  for (size_t i = 0; i < text.size(); ++i) {
    char32_t c = text[i];
    if (c >= 0xFF01 && c <= 0xFFEF) {
      out += normalised(&icu::Normalizer2::getNFKCInstance, text.substr(i, 1));
    } else if (c == '\r') {
      if (i + 1 == text.size() || text[i + 1] != '\n') out += '\n';
    } else {
      append_plain(out, c);
    }
  }
  return out;
}

// Colours and cursor moves of a terminal, ESC [ numbers letter, and control characters.
std::u32string without_controls(std::u32string_view text) {
  std::u32string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == 0x1B && i + 1 < text.size() && text[i + 1] == '[') {
      size_t end = i + 2;
      while (end < text.size() &&
             (u_charType(static_cast<UChar32>(text[end])) == U_DECIMAL_DIGIT_NUMBER ||
              text[end] == ';')) {
        ++end;
      }
      if (end < text.size() && is_ascii_alnum(text[end])) {
        i = end;
        continue;
      }
    }
    if (!is_removed(text[i])) out += text[i];
  }
  return out;
}

std::u32string fix_line(std::u32string text, bool references) {
  // It settles after two or three rounds; only text made to nest would take more.
  constexpr int kRounds = 32;
  for (int round = 0; round < kRounds; ++round) {
    std::u32string next = references ? resolve_references(text) : text;
    next = without_controls(plain_characters(next));
    next = normalised(&icu::Normalizer2::getNFCInstance, next);
    if (next == text) break;
    text = std::move(next);
  }
  return text;
}

std::u32string fix(std::u32string_view text) {
  std::u32string out;
  bool references = true;
  while (!text.empty()) {
    const size_t line_end = text.find('\n');
    const size_t n = line_end == std::u32string_view::npos ? text.size() : line_end + 1;
    const std::u32string_view line = text.substr(0, n);
    references = references && line.find('<') == std::u32string_view::npos;
    out += fix_line(std::u32string(line), references);
    text.remove_prefix(n);
  }
  return out;
}

std::u32string fold_spaces(std::u32string_view text) {
  std::u32string out;
  for (const char32_t c : text) {
    if (!u_isUWhiteSpace(static_cast<UChar32>(c))) {
      out += c;
    } else if (!out.empty() && out.back() != ' ') {
      out += ' ';
    }
  }
  if (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

}  // namespace

std::u32string utf32_of(std::string_view utf8) {
  return from_icu(icu::UnicodeString::fromUTF8(
      icu::StringPiece(utf8.data(), static_cast<int32_t>(utf8.size()))));
}

std::string utf8_of(std::u32string_view text) {
  std::string out;
  to_icu(text).toUTF8String(out);
  return out;
}

std::u32string clip_clean(std::string_view text) {
  const std::u32string fixed = fix(lower(utf32_of(text)));
  return lower(fold_spaces(unescape(unescape(fixed))));
}

}  // namespace vq
