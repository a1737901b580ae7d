// Decoded pictures as WebDataset's tar shards.
#include <fmt/format.h>

#include <optional>

#include "formats/error.h"
#include "formats/picture_writer.h"
#include "formats/tar_writer.h"

namespace vq {
namespace {

// A sample's name ends with the first dot of its last part.
std::string sample_name(const std::string& key) {
  picture_file_name(key);  // refuses what would leave the folder it is unpacked in
  const size_t slash = key.rfind('/');
  const size_t start = slash == key.npos ? 0 : slash + 1;
  std::string name = key.substr(0, start);
  for (const char c : key.substr(start)) {
    if (c == '.') {
      name += "%2E";
    } else {
      name += c;
    }
  }
  return name;
}

class PictureTar : public PictureWriter {
 public:
  PictureTar(std::string path, const PictureWriterOptions& options)
      : path_(std::move(path)), options_(options) {
    if (options.per_shard > 0 && !path_.ends_with(".tar")) {
      throw Error::usage(path_, "several archives need a name that ends in .tar");
    }
    open_next();
  }

  void put(const Picture& picture) override {
    if (options_.per_shard > 0 && in_shard_ == options_.per_shard) {
      tar_->close();
      open_next();
    }
    ++in_shard_;
    const std::string name = sample_name(picture.key);
    tar_->add(name + ".png", encode_png(picture.image, png_recipe(options_.text, picture)));
    Json rest = picture.more;
    const auto take = [&](const char* member, const char* ending, const std::string& text) {
      tar_->add(name + ending, as_bytes(text));
      rest.erase(member);
    };
    if (const auto it = rest.find("caption"); it != rest.end() && it->is_string()) {
      take("caption", ".txt", it->get<std::string>());
    }
    if (const auto it = rest.find("label"); it != rest.end() && it->is_number_integer()) {
      take("label", ".cls", dump_json(*it));
    }
    if (!rest.empty()) tar_->add(name + ".json", as_bytes(dump_json(rest)));
  }

  void flush() override { tar_->flush(); }
  void close() override { tar_->close(); }

 private:
  void open_next() {
    std::string name = path_;
    if (options_.per_shard > 0) {
      name.insert(name.size() - 4, fmt::format("-{:06}", shard_++));
    }
    in_shard_ = 0;
    tar_.emplace(Output::open(name, options_.force));
  }

  std::string path_;
  PictureWriterOptions options_;
  std::optional<TarWriter> tar_;
  uint64_t shard_ = 0, in_shard_ = 0;
};

}  // namespace

std::unique_ptr<PictureWriter> open_picture_tar(const std::string& path,
                                                const PictureWriterOptions& options) {
  return std::make_unique<PictureTar>(path, options);
}

}  // namespace vq
