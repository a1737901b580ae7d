// Where decoded pictures go: a folder or tar shards that are a data set again, one PNG, a stream of
// PPM or PNG, a contact sheet.
//
//   folder   KEY.png for each picture, keys with slashes make sub-folders, and captions.jsonl:
//            {"image": "KEY.png", "key": "KEY", ...} with the members of the picture's record
//   tar      WebDataset's samples: KEY.png, and, where the record says so, KEY.txt (its caption),
//            KEY.cls (its label) and KEY.json (all else). A dot in the last part of a key becomes
//            %2E there: it would end the sample's name
//   PNG      its recipe as text chunks: vq:key, vq:caption and vq:seed of the record, and of the
//            options what is the same for all: vq:history, Software
//
// Laws: a picture is on disk when put() returns, and whole; nothing is written outside the folder:
// a key that is absolute or has an empty, "." or ".." part is refused. (picture_writer_test.cc)
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "formats/image.h"
#include "formats/json.h"
#include "formats/sheet.h"

namespace vq {

struct Picture {
  std::string key;
  Image image;
  Json more = Json::object();  // of the token record: caption, label, seed, ...
};

class PictureWriter {
 public:
  virtual ~PictureWriter() = default;
  virtual void put(const Picture& picture) = 0;
  virtual void flush() {}  // nothing more is there at the moment
  virtual void close() = 0;
};

enum class PictureFormat { automatic, folder, tar, ppm, png };

// "auto", "folder", "tar", "ppm", "png", in the order of the enumeration.
const std::vector<std::string>& picture_format_words();
PictureFormat picture_format_from_word(const std::string& word);

struct PictureWriterOptions {
  bool force = false;  // replace what exists
  PngText text = {};   // chunks for every PNG
  PictureFormat format = PictureFormat::automatic;
  uint64_t per_shard =
      0;  // pictures in one tar; 0: all. X.tar is X-000000.tar, X-000001.tar ... then
};

// `format` says, or else the name: "-" is a PPM stream on standard output, X.ppm one in a file,
// X.tar an archive, X.png a single picture (a second one is an error), anything else a folder, made
// where it is not there. png is a stream of any number of PNG, one behind the other.
std::unique_ptr<PictureWriter> open_pictures(const std::string& path,
                                             const PictureWriterOptions& options);
// Drawn and written by close().
std::unique_ptr<PictureWriter> open_sheet(const std::string& path, const SheetOptions& sheet,
                                          const PictureWriterOptions& options);

// The caption of a record, the first of several; empty when there is none.
std::string caption_of(const Json& more);

// "KEY.png" below a folder; throws vq::Error for a key that would leave it.
std::string picture_file_name(const std::string& key);

// The chunks of a picture: those of its record behind those given.
PngText png_recipe(PngText text, const Picture& picture);
// Tar shards; `path` ends in .tar where there are several.
std::unique_ptr<PictureWriter> open_picture_tar(const std::string& path,
                                                const PictureWriterOptions& options);

}  // namespace vq
