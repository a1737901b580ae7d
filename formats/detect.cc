#include "formats/detect.h"

#include <algorithm>
#include <string_view>

#include "formats/bytes.h"
#include "formats/token_frames.h"
#include "formats/token_header.h"

namespace vq {
namespace {

constexpr size_t kLook = 64 << 10;
constexpr uint64_t kMaxSafetensorsHeader = 100'000'000;
// A pickle of the number 0x1950a86a20f9469cfc6c, which PyTorch wrote first before version 1.6.
constexpr std::string_view kTorchLegacy =
    "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";

bool begins(std::span<const uint8_t> bytes, std::string_view with) {
  return as_text(bytes).starts_with(with);
}

bool is_ppm(std::span<const uint8_t> b) {
  return b.size() >= 3 && b[0] == 'P' && b[1] == '6' &&
         (b[2] == ' ' || b[2] == '\t' || b[2] == '\n' || b[2] == '\r' || b[2] == '#');
}

bool is_safetensors(std::span<const uint8_t> b) {
  return b.size() >= 9 && load_u64(b.data()) <= kMaxSafetensorsHeader && b[8] == '{';
}

// The folder of PyTorch's archives begins with its pickle or, aligned by a field of PyTorch's own,
// with the numbers of a tensor.
bool is_torch(std::span<const uint8_t> b) {
  constexpr size_t kLocalHeader = 30;
  if (!begins(b, "PK\x03\x04") || b.size() < kLocalHeader) return false;
  const size_t name_size = load_u16(b.data() + 26), extra_size = load_u16(b.data() + 28);
  const std::string_view rest = as_text(b.subspan(kLocalHeader));
  const std::string_view name = rest.substr(0, name_size);
  if (name.find('/') == name.npos || rest.size() < name_size) return false;
  return name.ends_with("/data.pkl") ||
         (extra_size >= 4 && rest.substr(name_size).starts_with("FB"));
}

bool is_text(std::span<const uint8_t> b) {
  return std::all_of(b.begin(), b.end(), [](uint8_t c) {
    return c >= 0x20 ? c != 0x7f : c == '\t' || c == '\n' || c == '\r';
  });
}

// key TAB 16x16:512... A key may begin with any letters, so also with "P6 " or "ustar": this is
// asked before formats that letters alone would be enough for.
bool is_token_text(std::string_view text) {
  if (text.starts_with("#{\"format\":\"vq-token-grid\"")) return true;
  const std::string_view line = text.substr(0, text.find('\n'));
  const size_t tab = line.find('\t');
  if (tab == std::string_view::npos || !is_text(as_bytes(line.substr(0, tab)))) return false;
  std::string_view rest = line.substr(tab + 1);
  const auto digits = [&] {
    const size_t n = std::min(rest.find_first_not_of("0123456789"), rest.size());
    rest.remove_prefix(n);
    return n > 0;
  };
  const auto sign = [&](char c) {
    const bool there = rest.starts_with(c);
    rest.remove_prefix(there ? 1 : 0);
    return there;
  };
  return digits() && sign('x') && digits() && sign(':') && digits();
}

}  // namespace

Format detect(std::span<const uint8_t> b) {
  if (b.empty()) return Format::empty;
  if (starts_frame(b)) {
    const std::string content = peek_content(b, kHeaderStart.size());
    return content == kHeaderStart ? Format::token_grid : Format::zstd;
  }
  if (is_token_text(as_text(b))) return Format::token_text;
  if (begins(b, "\x89PNG\r\n\x1a\n")) return Format::png;
  if (begins(b, "\xff\xd8\xff")) return Format::jpeg;
  if (begins(b, "RIFF") && b.size() >= 12 && as_text(b.subspan(8, 4)) == "WEBP")
    return Format::webp;
  if (begins(b, "\x1f\x8b")) return Format::gzip;
  if (is_torch(b)) return Format::torch;
  if (begins(b, kTorchLegacy)) return Format::torch_legacy;
  if (begins(b, "PK\x03\x04") || begins(b, "PK\x05\x06")) return Format::zip;
  if (is_ppm(b)) return Format::ppm;
  if (b.size() >= 262 && as_text(b.subspan(257, 5)) == "ustar") return Format::tar;
  if (is_safetensors(b)) return Format::safetensors;
  if (!is_text(b)) return Format::unknown;
  const std::string_view text = as_text(b);
  const size_t start = text.find_first_not_of(" \t\r\n");
  const bool json = start != std::string_view::npos && (text[start] == '{' || text[start] == '[');
  return json ? Format::json : Format::text;
}

bool is_image(Format format) {
  return format == Format::png || format == Format::jpeg || format == Format::webp ||
         format == Format::ppm;
}

Format detect_file(const std::string& path) { return detect(Input::open(path).peek(kLook)); }

const char* describe(Format format) {
  switch (format) {
    case Format::empty:
      return "an empty file";
    case Format::token_grid:
      return "a token-grid file";
    case Format::token_text:
      return "a token grid as text";
    case Format::safetensors:
      return "a safetensors file";
    case Format::png:
      return "a PNG image";
    case Format::jpeg:
      return "a JPEG image";
    case Format::webp:
      return "a WebP image";
    case Format::ppm:
      return "a PPM image";
    case Format::zstd:
      return "zstd-compressed data";
    case Format::zip:
      return "a zip archive";
    case Format::torch:
      return "a PyTorch archive";
    case Format::torch_legacy:
      return "a PyTorch file in the format from before version 1.6";
    case Format::tar:
      return "a tar archive";
    case Format::gzip:
      return "gzip-compressed data";
    case Format::json:
      return "JSON";
    case Format::text:
      return "text";
    case Format::unknown:
      break;
  }
  return "data of an unknown kind";
}

std::string hint_for(Format wanted, Format found) {
  const bool image = is_image(found);
  const bool tokens = found == Format::token_grid || found == Format::token_text;
  const bool wants_tokens = wanted == Format::token_grid || wanted == Format::token_text;
  const bool wants_image = is_image(wanted);
  if (wants_tokens && image) return "to turn images into tokens, use vq-encode";
  if (wants_tokens && found == Format::safetensors) {
    return "a codec or model is given with -m; the tokens are the operand";
  }
  if (wants_tokens && found == Format::gzip) return "zcat FILE | ... if there are tokens inside";
  if (wants_tokens && found == Format::zstd) return "zstdcat FILE | ... if there is text inside";
  if (wants_image && tokens) return "to turn tokens into images, use vq-decode";
  if (wanted == Format::safetensors && tokens) {
    return "a codec or model is made by vq-train; tokens are the operand, not -m";
  }
  if (wanted == Format::torch && found == Format::torch_legacy) {
    return "torch.save(torch.load(FILE), NEW) in Python with a recent PyTorch writes a file of "
           "today";
  }
  if (wanted == Format::safetensors && (found == Format::zip || found == Format::torch)) {
    return "vq-import turns it into a model or codec; vq-info shows what is in it";
  }
  return {};
}

}  // namespace vq
