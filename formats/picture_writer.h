// Where decoded pictures go: a folder that is a data set again, one PNG, a PPM stream, a contact
// sheet.
//
//   folder   KEY.png for each picture, keys with slashes make sub-folders, and captions.jsonl:
//            {"image": "KEY.png", "key": "KEY", ...} with the members of the picture's record
//   PNG      text chunks: Software and Comment (how it was made), Title (the key), Description
//   (caption)
//
// Laws: a picture is on disk when put() returns, and whole; nothing is written outside the folder:
// a key that is absolute or has an empty, "." or ".." part is refused. (picture_writer_test.cc)
#pragma once

#include <memory>
#include <string>

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

struct PictureWriterOptions {
  bool force = false;  // replace what exists
  PngText text;        // chunks for every PNG
};

// By the name: "-" is a PPM stream on standard output, X.ppm one in a file, X.png a single picture
// (a second one is an error), anything else a folder, made where it is not there.
std::unique_ptr<PictureWriter> open_pictures(const std::string& path,
                                             const PictureWriterOptions& options);
// Drawn and written by close().
std::unique_ptr<PictureWriter> open_sheet(const std::string& path, const SheetOptions& sheet,
                                          const PictureWriterOptions& options);

// The caption of a record, the first of several; empty when there is none.
std::string caption_of(const Json& more);

// "KEY.png" below a folder; throws vq::Error for a key that would leave it.
std::string picture_file_name(const std::string& key);

}  // namespace vq
