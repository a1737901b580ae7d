// What a token-grid stream says of itself in its first line, and what all of the format may hold.
//
// The line is the same in both spellings (token_grid.md, "The header line"): JSON, beginning with
// kHeaderStart. Laws: header_from_json(header_to_json(h)) is h; two codecs are the same when one
// name of 8 or more digits begins the other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "formats/token_grid.h"

namespace vq {

// Limits of the format: token_grid.md says why. Together they bound a reader's memory to 32 MiB.
inline constexpr int kMaxSide = 65535;
inline constexpr int kMaxTokens = 65536;    // a record
inline constexpr int kMaxCodebook = 65536;  // a token fits in 16 bits
inline constexpr int kMaxBlockRecords = 65535;
inline constexpr size_t kMaxKey = 4096;
inline constexpr size_t kMaxRecordJson = 256 << 10;
inline constexpr size_t kMaxLine = 256 << 10;           // header line and end line
inline constexpr size_t kMaxFrameContent = 8 << 20;     // of a data frame, and of an index
inline constexpr size_t kMaxFrameOverhead = 256 << 10;  // how much larger a frame may be than that
inline constexpr size_t kMaxIndexBlocks = 1000000;

inline constexpr uint32_t kMaxRecords = 0xFFFFFFFF;  // in one stream; a file may have many

inline constexpr int kFormatVersion = 1;
inline constexpr std::string_view kHeaderStart = R"({"format":"vq-token-grid",)";

// Without a line end. Throws vq::Error for a header that breaks a limit.
std::string header_to_line(const GridHeader& header, bool history);
// Throws vq::Error at `where`: not this format, a newer version, a member missing or out of range.
GridHeader header_from_line(std::string_view line, const std::string& where);

// The last line of a stream, without a line end: {"end":true,"records":R,"blocks":N}.
struct EndMark {
  uint64_t records = 0, blocks = 0;
};
inline constexpr std::string_view kEndStart = R"({"end":true,)";
std::string end_to_line(const EndMark& end);
EndMark end_from_line(std::string_view line, const std::string& where);

// Throws vq::Error at `where` for sizes, codec or member names that break a rule.
void check_header(const GridHeader& header, const std::string& where);

// "" (unknown), or 8 to 128 digits 0-9a-f.
bool is_codec_name(std::string_view codec);
bool same_codec(std::string_view a, std::string_view b);

// Throws vq::Error at `where` for a key that is empty, too long or has control characters.
void check_key(std::string_view key, const std::string& where);
// What a writer asks of a record: key, number and range of tokens, an object. Throws vq::Error with
// an empty place; returns whether a token is [mask].
bool check_record(const GridHeader& header, const TokenRecord& record);
// Throws vq::Error with an empty place when a record's JSON, as text, is too long.
void check_record_json(std::string_view text);

}  // namespace vq
