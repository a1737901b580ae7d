#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <unordered_map>

#include "formats/dataset_parts.h"
#include "formats/error.h"
#include "formats/utf8.h"

namespace vq {
namespace {

constexpr std::array<std::string_view, 8> kImageEndings = {"png",  "jpg",  "jpeg", "jpe",
                                                           "jfif", "webp", "ppm",  "pgm"};

// Where the extension's dot is; npos when there is none (".hidden" has none).
size_t extension_dot(std::string_view path) {
  const size_t dot = path.rfind('.'), slash = path.rfind('/');
  const size_t start = slash == path.npos ? 0 : slash + 1;
  return dot == path.npos || dot <= start ? path.npos : dot;
}

}  // namespace

std::string_view base_name(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  const size_t slash = path.rfind('/');
  return slash == path.npos || path.size() == 1 ? path : path.substr(slash + 1);
}

std::string folder_of(std::string_view path) {
  const size_t slash = path.rfind('/');
  if (slash == path.npos) return "";
  return std::string(path.substr(0, slash == 0 ? 1 : slash));
}

std::string parent_of(std::string_view folder) {
  const std::string_view name = base_name(folder);
  if (name.empty() || name == "." || name == "..") return join_path(std::string(folder), "..");
  while (folder.size() > 1 && folder.back() == '/') folder.remove_suffix(1);
  return folder_of(folder);
}

std::string join_path(const std::string& folder, std::string_view name) {
  if (folder.empty() || name.starts_with('/')) return std::string(name);
  return fmt::format("{}{}{}", folder, folder.ends_with('/') ? "" : "/", name);
}

std::string extension(std::string_view path) {
  const size_t dot = extension_dot(path);
  std::string ending(dot == path.npos ? std::string_view() : path.substr(dot + 1));
  for (char& c : ending) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return ending;
}

bool has_image_ending(std::string_view path) {
  return std::find(kImageEndings.begin(), kImageEndings.end(), extension(path)) !=
         kImageEndings.end();
}

std::string as_key_text(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const size_t length = utf8_character(text);
    const auto first = static_cast<uint8_t>(text[0]);
    if (length == 0 || first < 0x20 || first == 0x7F) {
      out += fmt::format("%{:02X}", first);
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return out;
}

std::string key_of_path(std::string_view path) {
  if (const size_t dot = extension_dot(path); dot != path.npos) path = path.substr(0, dot);
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    const size_t slash = std::min(path.find('/'), path.size());
    const std::string_view part = path.substr(0, slash);
    if (part == ".." && !parts.empty()) {
      parts.pop_back();
    } else if (!part.empty() && part != "." && part != "..") {
      parts.push_back(part);
    }
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  std::string key;
  for (const std::string_view part : parts) key += (key.empty() ? "" : "/") + as_key_text(part);
  return key;
}

void check_keys(const std::vector<Example>& examples, const std::string& hint,
                const std::function<std::string(size_t)>& name_of) {
  std::unordered_map<std::string_view, size_t> first;
  first.reserve(examples.size());
  for (size_t i = 0; i < examples.size(); ++i) {
    const auto [it, fresh] = first.try_emplace(examples[i].key, i);
    if (!fresh) {
      throw Error(name_of(i),
                  fmt::format("its key \"{}\" is that of {}", examples[i].key, name_of(it->second)),
                  hint);
    }
  }
}

bool is_file(const std::string& path) {
  struct stat info;
  return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

bool is_folder(const std::string& path) {
  struct stat info;
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

void check_is_there(const std::string& path, const std::string& where) {
  struct stat info;
  if (::stat(path.c_str(), &info) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) {
      throw Error(where, fmt::format("the image {} does not exist", as_key_text(path)));
    }
    throw Error::from_errno(where, fmt::format("the image {} cannot be read", as_key_text(path)));
  }
  if (!S_ISREG(info.st_mode)) {
    throw Error(where, fmt::format("the image {} is not a file", as_key_text(path)));
  }
}

// The captions were typed on Windows: a byte that is not UTF-8 is of its code page, where
// 0xA0..0xFF are those of Latin-1 and the rest is quotes and dashes.
std::string as_utf8(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    if (const size_t length = utf8_character(text); length > 0) {
      out += text.substr(0, length);
      text.remove_prefix(length);
      continue;
    }
    const auto byte = static_cast<uint8_t>(text[0]);
    if (byte >= 0xA0) {
      out += static_cast<char>(0xC0 | byte >> 6);
      out += static_cast<char>(0x80 | (byte & 0x3F));
    } else {
      constexpr std::string_view kPlain = "\x91'\x92'\x93\"\x94\"\x96-\x97-";
      const size_t at = kPlain.find(text[0]);
      out += at == kPlain.npos ? '?' : kPlain[at + 1];
    }
    text.remove_prefix(1);
  }
  return out;
}

void add_caption(std::string_view text, std::vector<std::string>& captions) {
  std::string caption;
  bool gap = false;
  for (const char c : text) {
    if (c == ' ' || (c >= '\t' && c <= '\r')) {
      gap = !caption.empty();
      continue;
    }
    if (gap) caption += ' ';
    gap = false;
    caption += c;
  }
  const bool repeated = std::find(captions.begin(), captions.end(), caption) != captions.end();
  if (!caption.empty() && !repeated) captions.push_back(std::move(caption));
}

}  // namespace vq
