#include "lib/scoring/side.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <future>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "formats/dataset.h"
#include "formats/detect.h"
#include "formats/npz.h"
#include "formats/shard_names.h"
#include "formats/token_grid.h"
#include "lib/scoring/picture_digest.h"
#include "lib/training/token_set.h"

namespace vq {
namespace {

constexpr size_t kPeek = 1 << 16;

// A picture that is still to be read or is there already.
struct PictureJob {
  std::string key, caption, name;  // the name is for messages
  std::function<Image()> read;
};

// What became of it.
struct PictureRow {
  at::Tensor bytes, input;
  std::shared_ptr<const Error> trouble;
};

int workers(int wanted, size_t jobs) {
  const int cores = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  return static_cast<int>(std::min<size_t>(jobs, wanted > 0 ? wanted : cores));
}

// Gathers jobs, has them done by several threads while the batch before is used, and puts the rows
// together. What differs between kinds of sides is where jobs come from.
class PictureSide : public Side {
 public:
  PictureSide(std::string name, const SideOptions& options)
      : name_(std::move(name)), options_(options) {}

  bool next(SideBatch& batch) override {
    if (!pending_.valid()) {
      if (ended_) return false;
      start();
    }
    const std::vector<PictureJob> jobs = pending_.get();
    const std::vector<PictureRow> rows = std::move(rows_);
    ended_ = jobs.empty();
    if (ended_) return false;
    if (ahead()) start();
    put_together(jobs, rows, batch);
    return true;
  }
  const std::string& name() const override { return name_; }
  std::string digest() const override { return digest_.digest(); }

 protected:
  // At most options_.batch jobs; none at the end. Called by one thread at a time.
  virtual std::vector<PictureJob> gather() = 0;
  virtual bool has_keys() const { return true; }
  // Whether the next batch is read while this one is used.
  virtual bool ahead() const { return true; }
  size_t room() const { return static_cast<size_t>(options_.batch); }

  std::string name_;
  SideOptions options_;

 private:
  void start() {
    pending_ = std::async(ahead() ? std::launch::async : std::launch::deferred, [this] {
      std::vector<PictureJob> jobs = gather();
      rows_ = work(jobs);
      return jobs;
    });
  }

  std::vector<PictureRow> work(const std::vector<PictureJob>& jobs) {
    std::vector<PictureRow> rows(jobs.size());
    std::atomic<size_t> next{0};
    const auto run = [&] {
      for (size_t i; (i = next.fetch_add(1)) < jobs.size();) rows[i] = row(jobs[i]);
    };
    std::vector<std::thread> others;
    for (int t = 1; t < workers(options_.threads, jobs.size()); ++t) others.emplace_back(run);
    run();
    for (std::thread& thread : others) thread.join();
    return rows;
  }

  PictureRow row(const PictureJob& job) {
    PictureRow row;
    try {
      Image image = job.read();
      digest_.add(image);
      if (options_.size > 0) {
        image = fit_image(image, options_.size, options_.resize);
        row.bytes = to_tensor(image);
      }
      if (options_.prepare) row.input = options_.prepare(image);
    } catch (const Error& error) {
      row.trouble = std::make_shared<Error>(error);
    } catch (const std::exception& error) {
      row.trouble = std::make_shared<Error>(job.name, error.what());
    }
    return row;
  }

  void put_together(const std::vector<PictureJob>& jobs, const std::vector<PictureRow>& rows,
                    SideBatch& batch) {
    batch = {};
    std::vector<at::Tensor> bytes, inputs;
    for (size_t i = 0; i < jobs.size(); ++i) {
      if (rows[i].trouble) {
        options_.on_bad(*rows[i].trouble);
        continue;
      }
      if (has_keys()) batch.keys.push_back(jobs[i].key);
      batch.captions.push_back(jobs[i].caption);
      if (rows[i].bytes.defined()) bytes.push_back(rows[i].bytes);
      if (rows[i].input.defined()) inputs.push_back(rows[i].input);
    }
    if (!bytes.empty()) batch.bytes = at::stack(bytes);
    if (!inputs.empty()) batch.inputs = at::stack(inputs);
  }

  PictureDigest digest_;
  bool ended_ = false;
  std::vector<PictureRow> rows_;  // of the pending jobs
  std::future<std::vector<PictureJob>> pending_;
};

PictureJob as_job(const Example& example) {
  return {example.key, example.captions.empty() ? "" : example.captions.front(),
          example.picture.name(), [picture = example.picture] { return picture.read(); }};
}

class DatasetSide : public PictureSide {
 public:
  DatasetSide(Dataset set, const SideOptions& options)
      : PictureSide(set.name, options), set_(std::move(set)), order_(set_.examples.size()) {
    for (size_t i = 0; i < order_.size(); ++i) order_[i] = i;
  }

  int64_t total() const override { return static_cast<int64_t>(order_.size()); }

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

 protected:
  std::vector<PictureJob> gather() override {
    std::vector<PictureJob> jobs;
    while (jobs.size() < room() && next_ < order_.size()) {
      jobs.push_back(as_job(set_.examples[order_[next_++]]));
    }
    return jobs;
  }

 private:
  Dataset set_;
  std::vector<size_t> order_;
  size_t next_ = 0;
};

// Shards that cannot be gone back to, and lists on standard input.
class ExampleSide : public PictureSide {
 public:
  ExampleSide(std::unique_ptr<ExampleReader> reader, std::string name, const SideOptions& options)
      : PictureSide(std::move(name), options), reader_(std::move(reader)) {}
  // The reader may go on reading the input.
  ExampleSide(std::shared_ptr<Input> input, std::unique_ptr<ExampleReader> reader,
              const SideOptions& options)
      : PictureSide(input->name(), options), input_(std::move(input)), reader_(std::move(reader)) {}

 protected:
  std::vector<PictureJob> gather() override {
    std::vector<PictureJob> jobs;
    Example example;
    while (jobs.size() < room() && reader_->next(example)) jobs.push_back(as_job(example));
    return jobs;
  }

 private:
  std::shared_ptr<Input> input_;
  std::unique_ptr<ExampleReader> reader_;
};

PictureJob there_already(Image image, std::string key = {}) {
  auto shared = std::make_shared<Image>(std::move(image));
  return {std::move(key), {}, {}, [shared] { return std::move(*shared); }};
}

class PpmSide : public PictureSide {
 public:
  PpmSide(Input input, const SideOptions& options)
      : PictureSide(input.name(), options), input_(std::move(input)) {}

 protected:
  std::vector<PictureJob> gather() override {
    std::vector<PictureJob> jobs;
    Image image;
    while (jobs.size() < room() && read_ppm(input_, image)) jobs.push_back(there_already(image));
    return jobs;
  }
  bool has_keys() const override { return false; }

 private:
  Input input_;
};

class TokenSide : public PictureSide {
 public:
  TokenSide(Input input, const SideOptions& options)
      : PictureSide(input.name(), options), reader_(std::move(input)) {
    if (options_.codec == nullptr) {
      throw Error::usage(name_, "holds token grids, which only their codec turns into pictures",
                         "name the codec with --model");
    }
    reader_.header();
    reader_.require_codec(options_.codec->identity(), options_.codec_path);
  }

 protected:
  // Decoding has the processors to itself.
  bool ahead() const override { return false; }

  std::vector<PictureJob> gather() override {
    const GridHeader& header = reader_.header();
    std::vector<int64_t> tokens;
    std::vector<PictureJob> jobs;
    TokenRecord record;
    while (jobs.size() < room() && reader_.next(record)) {
      if (std::find(record.tokens.begin(), record.tokens.end(), header.codebook_size) !=
          record.tokens.end()) {
        throw Error(reader_.where(), "has [mask] tokens, which are not part of a picture");
      }
      tokens.insert(tokens.end(), record.tokens.begin(), record.tokens.end());
      const std::vector<std::string> captions = captions_of(record);
      jobs.push_back({record.key, captions.empty() ? "" : captions.front(), record.key, {}});
    }
    if (jobs.empty()) return jobs;
    const auto count = static_cast<int64_t>(jobs.size());
    const auto grids = at::tensor(tokens, at::kLong).view({count, header.length()});
    const auto bytes = to_bytes(options_.codec->decode(grids, header.height, header.width));
    for (int64_t i = 0; i < count; ++i) {
      jobs[static_cast<size_t>(i)].read = [bytes, i] { return to_image(bytes, i); };
    }
    return jobs;
  }

 private:
  TokenReader reader_;
};

// A sample batch in NumPy's archive.
class NumpySide : public PictureSide {
 public:
  NumpySide(NpzFile file, const SideOptions& options)
      : PictureSide(file.path(), options), file_(std::move(file)) {
    const NpyArray& array = file_.array(kSampleBatch);
    if (array.dtype != DType::u8 || array.shape.size() != 4 || array.shape[3] != 3 ||
        array.fortran) {
      throw Error(name_ + ": " + kSampleBatch, "is no batch of pictures: (N, H, W, 3) uint8");
    }
  }
  int64_t total() const override { return file_.array(kSampleBatch).shape[0]; }

 protected:
  std::vector<PictureJob> gather() override {
    const NpyArray& array = file_.array(kSampleBatch);
    std::vector<PictureJob> jobs;
    const auto height = static_cast<int>(array.shape[1]), width = static_cast<int>(array.shape[2]);
    const size_t each = static_cast<size_t>(height) * static_cast<size_t>(width) * 3;
    while (jobs.size() < room() && next_ < array.shape[0]) {
      const auto from = array.bytes.subspan(static_cast<size_t>(next_++) * each, each);
      jobs.push_back(there_already(Image{width, height, {from.begin(), from.end()}}));
    }
    return jobs;
  }
  bool has_keys() const override { return false; }

 private:
  NpzFile file_;
  int64_t next_ = 0;
};

class StatisticsSide : public Side {
 public:
  explicit StatisticsSide(const NpzFile& file)
      : name_(file.path()), saved_(read_statistics(file)) {}
  bool next(SideBatch&) override { return false; }
  const std::string& name() const override { return name_; }
  const SavedStatistics* saved() const override { return &saved_; }

 private:
  std::string name_;
  SavedStatistics saved_;
};

std::unique_ptr<Side> open_numpy(const std::string& path, const SideOptions& options) {
  const NpzFile file(path);
  if (holds_statistics(file)) return std::make_unique<StatisticsSide>(file);
  if (file.contains(kSampleBatch)) return std::make_unique<NumpySide>(file, options);
  throw Error(path, "holds neither statistics (mu, sigma) nor pictures (arr_0)");
}

// Of names such as birds-{000..123}.tar.gz, which are no files themselves.
std::unique_ptr<Side> open_shard_names(const std::string& path, const SideOptions& options) {
  const std::vector<std::string> shards = expand_shard_names(path);
  const bool plain = std::all_of(shards.begin(), shards.end(),
                                 [](const std::string& shard) { return shard.ends_with(".tar"); });
  if (plain) return std::make_unique<DatasetSide>(open_dataset(path), options);
  return std::make_unique<ExampleSide>(open_examples({path}), path, options);
}

}  // namespace

int64_t SideBatch::count() const {
  return bytes.defined() ? bytes.size(0) : inputs.defined() ? inputs.size(0) : 0;
}

std::unique_ptr<Side> open_side(const std::string& path, const SideOptions& options) {
  if (path != "-" && !std::filesystem::exists(path) && has_shard_ending(path)) {
    return open_shard_names(path, options);
  }
  if (path == "-" || !std::filesystem::is_directory(path)) {
    auto input = std::make_shared<Input>(Input::open(path));
    const Format format = detect(input->peek(kPeek));
    if (format == Format::token_grid || format == Format::token_text) {
      return std::make_unique<TokenSide>(std::move(*input), options);
    }
    if (format == Format::ppm) return std::make_unique<PpmSide>(std::move(*input), options);
    if (format == Format::zip && path != "-") return open_numpy(path, options);
    if (path == "-" || format == Format::gzip || format == Format::zstd) {
      const auto folder = std::filesystem::path(path).parent_path();
      auto reader = read_examples(*input, path == "-" || folder.empty() ? "." : folder.string());
      if (reader != nullptr) {
        return std::make_unique<ExampleSide>(input, std::move(reader), options);
      }
      throw Error(input->name(),
                  fmt::format("is {}, where a PPM stream, token grids or a tar shard are needed",
                              describe(format)));
    }
  }
  return std::make_unique<DatasetSide>(open_dataset(path), options);
}

}  // namespace vq
