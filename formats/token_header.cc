#include "formats/token_header.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "formats/bit_column.h"
#include "formats/error.h"

namespace vq {
namespace {

constexpr std::array<std::string_view, 8> kOwnMembers = {
    "format", "version", "height", "width", "codebook_size", "codec", "mask", "history"};

bool is_own_member(std::string_view name) {
  return std::find(kOwnMembers.begin(), kOwnMembers.end(), name) != kOwnMembers.end();
}

int number(const Json& json, const char* name, int max, const std::string& where) {
  const auto found = json.find(name);
  const bool good =
      found != json.end() && found->is_number_integer() && *found >= 1 && *found <= max;
  if (!good) {
    throw Error(where, fmt::format("header: \"{}\" must be a whole number 1..{}", name, max));
  }
  return found->get<int>();
}

void check_version(const Json& json, const std::string& where) {
  const auto version = json.find("version");
  if (version == json.end() || !version->is_number_integer() || *version < 1) {
    throw Error(where, "header: \"version\" must be a whole number, 1 or more");
  }
  if (*version > kFormatVersion) {
    throw Error(where,
                fmt::format("token-grid version {}; this program reads version {}",
                            dump_json(*version), kFormatVersion),
                "use a newer version of the program");
  }
}

std::string shape(const GridHeader& h) { return fmt::format("{}x{}", h.height, h.width); }

std::string codec_words(const std::string& codec) {
  return codec.empty() ? "an unknown codec" : "codec " + codec.substr(0, 16);
}

}  // namespace

bool is_codec_name(std::string_view codec) {
  const auto digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  return codec.empty() || (codec.size() >= 8 && codec.size() <= 128 &&
                           std::all_of(codec.begin(), codec.end(), digit));
}

bool same_codec(std::string_view a, std::string_view b) {
  const size_t common = std::min(a.size(), b.size());
  return a == b || (common >= 8 && a.substr(0, common) == b.substr(0, common));
}

void check_key(std::string_view key, const std::string& where) {
  if (key.empty()) throw Error(where, "the key is empty");
  if (key.size() > kMaxKey) {
    throw Error(where, fmt::format("the key has {} bytes; {} are allowed", key.size(), kMaxKey));
  }
  for (const unsigned char c : key) {
    if (c < 0x20 || c == 0x7f) {
      throw Error(where, fmt::format("the key has a control character (code {})", c));
    }
  }
}

bool check_record(const GridHeader& header, const TokenRecord& record) {
  check_key(record.key, "");
  if (!record.more.is_object()) throw Error("", "its further members must be a JSON object");
  if (record.tokens.size() != static_cast<size_t>(header.length())) {
    throw Error("", fmt::format("has {} tokens; a grid of {} has {}", record.tokens.size(),
                                shape(header), header.length()));
  }
  const int32_t k = header.codebook_size;
  if (all_below(record.tokens.data(), record.tokens.size(), k)) return false;
  if (header.mask && all_below(record.tokens.data(), record.tokens.size(), k + 1)) return true;
  for (const int32_t token : record.tokens) {
    if (token == k && !header.mask) {
      throw Error("", fmt::format("has a [mask] (token {}), and the header says there is none", k));
    }
    if (token < 0 || token > k) {
      throw Error("", fmt::format("token {} is outside the codebook (0..{})", token, k - 1));
    }
  }
  return true;
}

void check_record_json(std::string_view text) {
  if (text.size() > kMaxRecordJson) {
    throw Error("",
                fmt::format("its JSON has {} bytes; {} are allowed", text.size(), kMaxRecordJson));
  }
}

void check_header(const GridHeader& h, const std::string& where) {
  const auto within = [&](int value, int max, const char* name) {
    if (value < 1 || value > max) {
      throw Error(where, fmt::format("header: {} {} is outside 1..{}", name, value, max));
    }
  };
  within(h.height, kMaxSide, "height");
  within(h.width, kMaxSide, "width");
  within(h.codebook_size, kMaxCodebook, "codebook size");
  if (static_cast<int64_t>(h.height) * h.width > kMaxTokens) {
    throw Error(where,
                fmt::format("header: a grid of {} has more than {} tokens", shape(h), kMaxTokens));
  }
  if (!is_codec_name(h.codec)) {
    throw Error(where, fmt::format("header: codec '{}' is not 8 to 128 digits 0-9a-f",
                                   h.codec.substr(0, 128)));
  }
  if (!h.history.is_array()) throw Error(where, "header: \"history\" must be a list");
  if (!h.more.is_object()) throw Error(where, "header: further members must be an object");
  for (const auto& [name, value] : h.more.items()) {
    if (is_own_member(name)) {
      throw Error(where, fmt::format("header: \"{}\" is given twice", name));
    }
  }
}

std::string header_to_line(const GridHeader& h, bool history) {
  check_header(h, "");
  Json json = {{"format", "vq-token-grid"},
               {"version", kFormatVersion},
               {"height", h.height},
               {"width", h.width},
               {"codebook_size", h.codebook_size},
               {"codec", h.codec},
               {"mask", h.mask}};
  if (history) json["history"] = h.history;
  for (const auto& [name, value] : h.more.items()) json[name] = value;
  std::string line = dump_json(json);
  if (line.size() >= kMaxLine) {
    throw Error("", fmt::format("the header has {} bytes; {} are allowed", line.size(), kMaxLine),
                "leave the history out with --no-history");
  }
  return line;
}

GridHeader header_from_line(std::string_view line, const std::string& where) {
  if (!line.starts_with(kHeaderStart)) {
    throw Error(where, fmt::format("is not a token grid: its first line does not begin with {}",
                                   kHeaderStart));
  }
  if (line.size() >= kMaxLine) {
    throw Error(where, fmt::format("the header is longer than {} bytes", kMaxLine));
  }
  const Json json = parse_json(line, where.empty() ? "header" : where + ": header");
  check_version(json, where);
  GridHeader h;
  h.height = number(json, "height", kMaxSide, where);
  h.width = number(json, "width", kMaxSide, where);
  h.codebook_size = number(json, "codebook_size", kMaxCodebook, where);
  for (const auto& [name, value] : json.items()) {
    if (name == "codec") {
      if (!value.is_string()) throw Error(where, "header: \"codec\" must be a string");
      h.codec = value.get<std::string>();
    } else if (name == "mask") {
      if (!value.is_boolean()) throw Error(where, "header: \"mask\" must be true or false");
      h.mask = value.get<bool>();
    } else if (name == "history") {
      h.history = value;
    } else if (!is_own_member(name)) {
      h.more[name] = value;
    }
  }
  check_header(h, where);
  return h;
}

std::string end_to_line(const EndMark& end) {
  return fmt::format(R"({{"end":true,"records":{},"blocks":{}}})", end.records, end.blocks);
}

EndMark end_from_line(std::string_view line, const std::string& where) {
  if (line.size() >= kMaxLine) throw Error(where, "end mark: longer than 256 KiB");
  const Json json = parse_json(line, where.empty() ? "end mark" : where + ": end mark");
  const auto count = [&](const char* name) {
    const auto found = json.is_object() ? json.find(name) : json.end();
    if (found == json.end() || !found->is_number_unsigned() || *found > kMaxRecords) {
      throw Error(where, fmt::format("end mark: \"{}\" must be a whole number", name));
    }
    return found->get<uint64_t>();
  };
  return {count("records"), count("blocks")};
}

void check_compatible(const GridHeader& first, const GridHeader& next, const std::string& where) {
  if (first.height != next.height || first.width != next.width) {
    throw Error(where, fmt::format("has grids of {} where the tokens before it have {}",
                                   shape(next), shape(first)));
  }
  if (first.codebook_size != next.codebook_size) {
    throw Error(where, fmt::format("has a codebook of {} where the tokens before it have one of {}",
                                   next.codebook_size, first.codebook_size));
  }
  if (!same_codec(first.codec, next.codec)) {
    throw Error(where, fmt::format("was made with {}, the tokens before it with {}",
                                   codec_words(next.codec), codec_words(first.codec)));
  }
}

}  // namespace vq
