// What the readers of the spellings of a data set share. Inside formats/ only; users include
// dataset.h.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "formats/dataset.h"

namespace vq {

constexpr size_t kMaxKey = 4096;  // bytes; what a token grid takes

// Paths as text; nothing here looks at the disk.
std::string_view base_name(std::string_view path);
std::string folder_of(std::string_view path);  // "" when there is none in it
std::string join_path(const std::string& folder, std::string_view name);
std::string extension(std::string_view path);  // "jpg" of "a/B.JPG"; "" of ".hidden"
bool has_image_ending(std::string_view path);

// Keys travel in JSON and on lines of their own: bytes that are not UTF-8, and control characters,
// are written %XX.
std::string as_key_text(std::string_view text);

// "./a//b/../c.png" -> "a/c"; what leads out of the folder is dropped, for keys become file names.
std::string key_of_path(std::string_view path);

// Throws when two examples share a key; `name_of` says where an example comes from.
void check_keys(const std::vector<Example>& examples, const std::string& hint,
                const std::function<std::string(size_t)>& name_of);

// Every image below a folder.
Dataset open_folder(const std::string& path);

}  // namespace vq
