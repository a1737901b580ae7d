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
// "" is the current folder; "a/b/" -> "a", "a" -> "", "." -> "..".
std::string parent_of(std::string_view folder);
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

// Throws at `where` when there is no such picture file.
void check_is_there(const std::string& path, const std::string& where);
bool is_file(const std::string& path);
bool is_folder(const std::string& path);

// Text as UTF-8, whatever it was: a byte that is not is of the code page of Windows.
std::string as_utf8(std::string_view text);

// Captions are handed from tool to tool on lines: white space of any kind becomes one space. Empty
// ones and repetitions are left out.
void add_caption(std::string_view text, std::vector<std::string>& captions);

// Throws where a split is asked for and the format has none.
void check_split(const std::string& where, DatasetFormat format, const DatasetOptions& options);
// The shards that all of the paths name, one after the other; false when one names something else.
bool find_all_shards(const std::vector<std::string>& paths, const DatasetOptions& options,
                     std::vector<std::string>& shards);

// Every image below a folder.
Dataset open_folder(const std::string& path);

// COCO. The file of captions a folder holds, "" when it holds none; throws when it holds several.
std::string find_coco_captions(const std::string& folder);
Dataset open_coco(const std::string& path);
// The captions of one file, whose pictures are looked for in `folders`; `input` is the JSON.
Dataset read_coco(Input& input, const std::vector<std::string>& folders);

// CUB-200-2011. The folder of images/ and its lists, at or below `path`; "" when there is none.
std::string find_cub(const std::string& path);
Dataset open_cub(const std::string& path, DatasetSplit split);

}  // namespace vq
