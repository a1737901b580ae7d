#include "lib/scoring/side.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <future>
#include <unordered_map>

#include "formats/dataset.h"
#include "formats/detect.h"
#include "formats/token_grid.h"
#include "lib/codec/pictures.h"

namespace vq {
namespace {

constexpr size_t kPeek = 1 << 16;

class DatasetSide : public Side {
 public:
  DatasetSide(Dataset set, const SideOptions& options)
      : set_(std::move(set)), options_(options), order_(set_.examples.size()) {
    for (size_t i = 0; i < order_.size(); ++i) order_[i] = i;
  }

  bool next(SideBatch& batch) override {
    if (!started_) prefetch();
    started_ = true;
    if (!pending_.valid()) return false;
    const PictureBatch read = pending_.get();
    const size_t first = next_, count = static_cast<size_t>(read.bytes.size(0));
    next_ += count;
    prefetch();
    std::vector<int64_t> good;
    std::vector<std::string> keys;
    size_t bad = 0;
    for (size_t i = 0; i < count; ++i) {
      if (bad < read.bad.size() && read.bad[bad].index == static_cast<int64_t>(i)) {
        options_.on_bad(read.bad[bad++].error);
        continue;
      }
      good.push_back(static_cast<int64_t>(i));
      keys.push_back(set_.examples[order_[first + i]].key);
    }
    batch = {std::move(keys),
             bad == 0 ? read.bytes : read.bytes.index_select(0, at::tensor(good, at::kLong))};
    return true;
  }

  int64_t total() const override { return static_cast<int64_t>(order_.size()); }
  const std::string& name() const override { return set_.name; }

  std::vector<std::string> keys() const override {
    std::vector<std::string> keys;
    for (size_t i : order_) keys.push_back(set_.examples[i].key);
    return keys;
  }

  void order_by(const std::vector<std::string>& keys) override {
    std::unordered_map<std::string, size_t> where;
    for (size_t i = 0; i < set_.examples.size(); ++i) where[set_.examples[i].key] = i;
    order_.clear();
    for (const std::string& key : keys) {
      const auto found = where.find(key);
      if (found == where.end()) throw Error(name(), "has no picture '" + key + "'");
      order_.push_back(found->second);
    }
  }

 private:
  void prefetch() {
    const size_t last = std::min(order_.size(), next_ + static_cast<size_t>(options_.batch));
    if (next_ == last) return;
    std::vector<PictureSource> pictures;
    for (size_t i = next_; i < last; ++i) pictures.push_back(set_.examples[order_[i]].picture);
    const ReadOptions how{options_.size, options_.resize, options_.threads};
    pending_ = std::async(std::launch::async, [pictures = std::move(pictures), how] {
      return read_pictures(pictures, how);
    });
  }

  Dataset set_;
  SideOptions options_;
  std::vector<size_t> order_;
  size_t next_ = 0;  // place in order_ of the first picture of the pending batch
  bool started_ = false;
  std::future<PictureBatch> pending_;
};

// Pictures that were read or decoded one by one -> a batch of the wanted size.
class Collector {
 public:
  explicit Collector(const SideOptions& options) : options_(options) {}
  void add(const Image& image) {
    rows_.push_back(to_tensor(fit_image(image, options_.size, options_.resize)));
  }
  bool full() const { return static_cast<int64_t>(rows_.size()) >= options_.batch; }
  bool empty() const { return rows_.empty(); }
  at::Tensor take() {
    at::Tensor bytes = at::stack(rows_);
    rows_.clear();
    return bytes;
  }

 private:
  const SideOptions& options_;
  std::vector<at::Tensor> rows_;
};

class PpmSide : public Side {
 public:
  PpmSide(Input input, const SideOptions& options)
      : input_(std::move(input)), options_(options), name_(input_.name()) {}

  bool next(SideBatch& batch) override {
    Collector pictures(options_);
    Image image;
    while (!pictures.full() && read_ppm(input_, image)) pictures.add(image);
    if (pictures.empty()) return false;
    batch = {{}, pictures.take()};
    return true;
  }
  const std::string& name() const override { return name_; }

 private:
  Input input_;
  SideOptions options_;
  std::string name_;
};

class TokenSide : public Side {
 public:
  TokenSide(Input input, const SideOptions& options)
      : name_(input.name()), reader_(std::move(input)), options_(options) {
    if (options_.codec == nullptr) {
      throw Error::usage(name_, "holds token grids, which only their codec turns into pictures",
                         "name the codec with --model");
    }
    reader_.header();
    reader_.require_codec(options_.codec->identity(), options_.codec_path);
  }

  bool next(SideBatch& batch) override {
    const GridHeader& header = reader_.header();
    std::vector<int64_t> tokens;
    batch.keys.clear();
    TokenRecord record;
    while (static_cast<int64_t>(batch.keys.size()) < options_.batch && reader_.next(record)) {
      if (std::find(record.tokens.begin(), record.tokens.end(), header.codebook_size) !=
          record.tokens.end()) {
        throw Error(reader_.where(), "has [mask] tokens, which are not part of a picture");
      }
      tokens.insert(tokens.end(), record.tokens.begin(), record.tokens.end());
      batch.keys.push_back(record.key);
    }
    if (batch.keys.empty()) return false;
    const auto count = static_cast<int64_t>(batch.keys.size());
    const auto grids = at::tensor(tokens, at::kLong).view({count, header.length()});
    const auto bytes = to_bytes(options_.codec->decode(grids, header.height, header.width));
    Collector pictures(options_);
    for (int64_t i = 0; i < count; ++i) pictures.add(to_image(bytes, i));
    batch.bytes = pictures.take();
    return true;
  }
  const std::string& name() const override { return name_; }

 private:
  std::string name_;
  TokenReader reader_;
  SideOptions options_;
};

}  // namespace

std::unique_ptr<Side> open_side(const std::string& path, const SideOptions& options) {
  if (path == "-" || !std::filesystem::is_directory(path)) {
    Input input = Input::open(path);
    const Format format = detect(input.peek(kPeek));
    if (format == Format::token_grid || format == Format::token_text) {
      return std::make_unique<TokenSide>(std::move(input), options);
    }
    if (format == Format::ppm) return std::make_unique<PpmSide>(std::move(input), options);
    if (path == "-") {
      throw Error(input.name(), fmt::format("is {}, where a PPM stream or token grids are needed",
                                            describe(format)));
    }
  }
  return std::make_unique<DatasetSide>(open_dataset(path), options);
}

}  // namespace vq
