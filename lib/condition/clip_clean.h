// Text as CLIP cleans it before it is cut into tokens: UTF-8 in, UTF-8 out.
//
// The released code's order: lower case, ftfy, HTML entities resolved twice, white space folded to
// single spaces and stripped, lower case.
//
// Of ftfy 6 this does entities (not from the first line with "<" on), latin ligatures, full and
// half width characters, curled quotes, line breaks, terminal escapes, control characters and
// Unicode's NFC, until nothing changes. Not done is its repair of text that was decoded with a
// wrong encoding: UTF-8 read as Latin-1 and the like, and the control characters 128-159; such text
// stays as it is. What is not UTF-8 becomes U+FFFD.
#pragma once

#include <string>
#include <string_view>

namespace vq {

std::u32string clip_clean(std::string_view text);

// Code points from and to UTF-8; what is no character becomes U+FFFD.
std::u32string utf32_of(std::string_view utf8);
std::string utf8_of(std::u32string_view text);

}  // namespace vq
