#include "formats/picture_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>

#include "formats/error.h"

namespace vq {
namespace {

namespace fs = std::filesystem;

class FolderWriter : public PictureWriter {
 public:
  FolderWriter(std::string folder, const PictureWriterOptions& options)
      : folder_(std::move(folder)), options_(options) {
    make_folder(folder_);
    list_.emplace(Output::open(folder_ / "captions.jsonl", options.force));
  }

  void put(const Picture& picture) override {
    const std::string name = picture_file_name(picture.key);
    const fs::path path = folder_ / name;
    if (path.parent_path() != last_parent_) make_folder(last_parent_ = path.parent_path());
    Output png = Output::open(path, options_.force, /*sync=*/false);
    png.write(encode_png(picture.image, png_recipe(options_.text, picture)));
    png.close();
    Json line = {{"image", name}, {"key", picture.key}};
    for (const auto& [member, value] : picture.more.items()) {
      if (!line.contains(member)) line[member] = value;
    }
    list_->write(dump_json(line) + "\n");
  }

  void close() override { list_->close(); }

 private:
  static void make_folder(const fs::path& path) {
    std::error_code failed;
    fs::create_directories(path, failed);
    if (failed) throw Error(path, "cannot make this folder: " + failed.message());
  }

  fs::path folder_, last_parent_;
  PictureWriterOptions options_;
  std::optional<Output> list_;
};

class SingleWriter : public PictureWriter {
 public:
  SingleWriter(std::string path, const PictureWriterOptions& options)
      : output_(Output::open(path, options.force)), path_(std::move(path)), options_(options) {}

  void put(const Picture& picture) override {
    if (seen_) {
      throw Error(path_, "one picture fits into this file, and there are more",
                  "give a folder (-o out/), or a contact sheet (--sheet FILE.png)");
    }
    seen_ = true;
    output_.write(encode_png(picture.image, png_recipe(options_.text, picture)));
  }

  void close() override {
    if (!seen_) throw Error(path_, "there is no picture to write");
    output_.close();
  }

 private:
  Output output_;
  std::string path_;
  PictureWriterOptions options_;
  bool seen_ = false;
};

class StreamWriter : public PictureWriter {
 public:
  StreamWriter(const std::string& path, const PictureWriterOptions& options)
      : output_(Output::open(path, options.force)), options_(options) {}
  void put(const Picture& picture) override {
    if (options_.format == PictureFormat::png) {
      output_.write(encode_png(picture.image, png_recipe(options_.text, picture)));
    } else {
      write_ppm(output_, picture.image);
    }
  }
  void flush() override { output_.flush(); }
  void close() override { output_.close(); }

 private:
  Output output_;
  PictureWriterOptions options_;
};

class SheetWriter : public PictureWriter {
 public:
  SheetWriter(const std::string& path, const SheetOptions& sheet,
              const PictureWriterOptions& options)
      : output_(Output::open(path, options.force)),
        path_(path),
        sheet_(sheet),
        text_(options.text) {}

  void put(const Picture& picture) override {
    const std::string caption = caption_of(picture.more);
    cells_.push_back({picture.image, caption.empty() ? picture.key : caption});
  }

  void close() override {
    if (cells_.empty()) throw Error(path_, "there is no picture for a contact sheet");
    try {
      output_.write(encode_png(draw_sheet(cells_, sheet_), text_));
    } catch (const Error& e) {
      throw e.within(path_);
    }
    output_.close();
  }

 private:
  Output output_;
  std::string path_;
  SheetOptions sheet_;
  PngText text_;
  std::vector<SheetCell> cells_;
};

}  // namespace

const std::vector<std::string>& picture_format_words() {
  static const std::vector<std::string> words = {"auto", "folder", "tar", "ppm", "png"};
  return words;
}

PictureFormat picture_format_from_word(const std::string& word) {
  const auto& words = picture_format_words();
  const auto it = std::find(words.begin(), words.end(), word);
  if (it == words.end()) throw Error("", fmt::format("'{}' is not a format of pictures", word));
  return static_cast<PictureFormat>(it - words.begin());
}

PngText png_recipe(PngText text, const Picture& picture) {
  text.emplace_back("vq:key", picture.key);
  const std::string caption = caption_of(picture.more);
  if (!caption.empty()) text.emplace_back("vq:caption", caption);
  if (picture.more.contains("seed")) text.emplace_back("vq:seed", dump_json(picture.more["seed"]));
  return text;
}

std::string caption_of(const Json& more) {
  const auto caption = more.find("caption");
  if (caption != more.end() && caption->is_string()) return *caption;
  const auto captions = more.find("captions");
  if (captions == more.end() || !captions->is_array() || captions->empty()) return {};
  return captions->front().is_string() ? captions->front().get<std::string>() : std::string();
}

std::string picture_file_name(const std::string& key) {
  size_t begin = 0;
  while (begin <= key.size()) {
    const size_t end = std::min(key.find('/', begin), key.size());
    const std::string part = key.substr(begin, end - begin);
    if (part.empty() || part == "." || part == "..") {
      throw Error("", fmt::format("the key '{}' is not a name inside a folder", key));
    }
    begin = end + 1;
  }
  return key + ".png";
}

std::unique_ptr<PictureWriter> open_pictures(const std::string& path,
                                             const PictureWriterOptions& options) {
  const bool by_name = options.format == PictureFormat::automatic;
  if (options.format == PictureFormat::tar || (by_name && path.ends_with(".tar"))) {
    return open_picture_tar(path, options);
  }
  if (options.per_shard > 0) {
    throw Error::usage(path, "only tar archives come in shards", "give -o NAME.tar");
  }
  const bool stream = options.format == PictureFormat::ppm ||
                      options.format == PictureFormat::png ||
                      (by_name && (path == "-" || path.ends_with(".ppm")));
  if (stream) return std::make_unique<StreamWriter>(path, options);
  if (by_name && path.ends_with(".png")) return std::make_unique<SingleWriter>(path, options);
  if (path == "-") throw Error::usage("standard output", "is not a folder");
  return std::make_unique<FolderWriter>(path, options);
}

std::unique_ptr<PictureWriter> open_sheet(const std::string& path, const SheetOptions& sheet,
                                          const PictureWriterOptions& options) {
  return std::make_unique<SheetWriter>(path, sheet, options);
}

}  // namespace vq
