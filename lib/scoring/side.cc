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
  at::Tensor picture, bytes, input;
  std::shared_ptr<const Error> trouble;
};

int workers(int wanted, size_t jobs) {
  const int cores = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  return static_cast<int>(std::min<size_t>(jobs, wanted > 0 ? wanted : cores));
}

// Where the jobs of a side come from. Called by one thread at a time.
class JobSource {
 public:
  virtual ~JobSource() = default;
  virtual std::vector<PictureJob> gather(size_t most) = 0;  // none at the end
  virtual bool has_keys() const { return true; }
  // Whether the next batch is read while this one is used.
  virtual bool ahead() const { return true; }
  virtual int64_t total() const { return 0; }
  virtual std::vector<std::string> keys() const { return {}; }
  virtual void order_by(const std::vector<std::string>&) {}
};

// Has jobs done by several threads while the batch before is used, and puts the rows together.
class PictureSide : public Side {
 public:
  PictureSide(std::string name, std::unique_ptr<JobSource> source, const SideOptions& options)
      : name_(std::move(name)), options_(options), source_(std::move(source)) {}

  bool next(SideBatch& batch) override {
    if (!pending_.valid()) {
      if (ended_) return false;
      start();
    }
    const std::vector<PictureJob> jobs = pending_.get();
    const std::vector<PictureRow> rows = std::move(rows_);
    ended_ = jobs.empty();
    if (ended_) return false;
    if (source_->ahead()) start();
    put_together(jobs, rows, batch);
    return true;
  }
  const std::string& name() const override { return name_; }
  std::string digest() const override { return digest_.digest(); }
  int64_t total() const override { return source_->total(); }
  std::vector<std::string> keys() const override { return source_->keys(); }
  void order_by(const std::vector<std::string>& keys) override { source_->order_by(keys); }

 private:
  void start() {
    const auto when = source_->ahead() ? std::launch::async : std::launch::deferred;
    pending_ = std::async(when, [this] {
      std::vector<PictureJob> jobs = source_->gather(static_cast<size_t>(options_.batch));
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
      if (options_.as_they_are) row.picture = to_tensor(image);
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
      if (source_->has_keys()) batch.keys.push_back(jobs[i].key);
      batch.captions.push_back(jobs[i].caption);
      if (rows[i].picture.defined()) batch.pictures.push_back(rows[i].picture);
      if (rows[i].bytes.defined()) bytes.push_back(rows[i].bytes);
      if (rows[i].input.defined()) inputs.push_back(rows[i].input);
    }
    if (!bytes.empty()) batch.bytes = at::stack(bytes);
    if (!inputs.empty()) batch.inputs = at::stack(inputs);
  }

  std::string name_;
  SideOptions options_;
  std::unique_ptr<JobSource> source_;
  PictureDigest digest_;
  bool ended_ = false;
  std::vector<PictureRow> rows_;                  // of the pending jobs
  std::future<std::vector<PictureJob>> pending_;  // last: it ends before what it uses does
};

PictureJob as_job(const Example& example) {
  return {example.key, example.captions.empty() ? "" : example.captions.front(),
          example.picture.name(), [picture = example.picture] { return picture.read(); }};
}

class DatasetJobs : public JobSource {
 public:
  explicit DatasetJobs(Dataset set) : set_(std::move(set)), order_(set_.examples.size()) {
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
      if (found == where.end()) throw Error(set_.name, "has no picture '" + key + "'");
      order_.push_back(found->second);
    }
  }

  std::vector<PictureJob> gather(size_t most) override {
    std::vector<PictureJob> jobs;
    while (jobs.size() < most && next_ < order_.size()) {
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
class ExampleJobs : public JobSource {
 public:
  // The reader may go on reading the input, where there is one.
  explicit ExampleJobs(std::unique_ptr<ExampleReader> reader, std::shared_ptr<Input> input = {})
      : input_(std::move(input)), reader_(std::move(reader)) {}

  std::vector<PictureJob> gather(size_t most) override {
    std::vector<PictureJob> jobs;
    Example example;
    while (jobs.size() < most && reader_->next(example)) jobs.push_back(as_job(example));
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

class PpmJobs : public JobSource {
 public:
  explicit PpmJobs(Input input) : input_(std::move(input)) {}

  std::vector<PictureJob> gather(size_t most) override {
    std::vector<PictureJob> jobs;
    Image image;
    while (jobs.size() < most && read_ppm(input_, image)) jobs.push_back(there_already(image));
    return jobs;
  }
  bool has_keys() const override { return false; }

 private:
  Input input_;
};

class TokenJobs : public JobSource {
 public:
  TokenJobs(Input input, const SideOptions& options)
      : name_(input.name()), codec_(options.codec), reader_(std::move(input)) {
    if (codec_ == nullptr) {
      throw Error::usage(name_, "holds token grids, which only their codec turns into pictures",
                         "name the codec with --model");
    }
    reader_.header();
    reader_.require_codec(codec_->identity(), options.codec_path);
  }

  // Decoding has the processors to itself.
  bool ahead() const override { return false; }

  std::vector<PictureJob> gather(size_t most) override {
    const GridHeader& header = reader_.header();
    std::vector<int64_t> tokens;
    std::vector<PictureJob> jobs;
    TokenRecord record;
    while (jobs.size() < most && reader_.next(record)) {
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
    const auto bytes = to_bytes(codec_->decode(grids, header.height, header.width));
    for (int64_t i = 0; i < count; ++i) {
      jobs[static_cast<size_t>(i)].read = [bytes, i] { return to_image(bytes, i); };
    }
    return jobs;
  }

 private:
  std::string name_;
  std::shared_ptr<const Codec> codec_;
  TokenReader reader_;
};

// A sample batch in NumPy's archive.
class NumpyJobs : public JobSource {
 public:
  explicit NumpyJobs(NpzFile file) : file_(std::move(file)) {
    const NpyArray& array = file_.array(kSampleBatch);
    if (array.dtype != DType::u8 || array.shape.size() != 4 || array.shape[3] != 3 ||
        array.fortran) {
      throw Error(file_.path() + ": " + kSampleBatch,
                  "is no batch of pictures: (N, H, W, 3) uint8");
    }
  }
  int64_t total() const override { return file_.array(kSampleBatch).shape[0]; }

  std::vector<PictureJob> gather(size_t most) override {
    const NpyArray& array = file_.array(kSampleBatch);
    std::vector<PictureJob> jobs;
    const auto height = static_cast<int>(array.shape[1]), width = static_cast<int>(array.shape[2]);
    const size_t each = static_cast<size_t>(height) * static_cast<size_t>(width) * 3;
    while (jobs.size() < most && next_ < array.shape[0]) {
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

template <class Jobs, class... Arguments>
std::unique_ptr<Side> side_of(std::string name, const SideOptions& options,
                              Arguments&&... arguments) {
  return std::make_unique<PictureSide>(
      std::move(name), std::make_unique<Jobs>(std::forward<Arguments>(arguments)...), options);
}

std::unique_ptr<Side> dataset_side(const std::string& path, const SideOptions& options) {
  Dataset set = open_dataset(path);
  const std::string name = set.name;
  return side_of<DatasetJobs>(name, options, std::move(set));
}

std::unique_ptr<Side> open_numpy(const std::string& path, const SideOptions& options) {
  const NpzFile file(path);
  if (holds_statistics(file)) return std::make_unique<StatisticsSide>(file);
  if (file.contains(kSampleBatch)) return side_of<NumpyJobs>(path, options, file);
  throw Error(path, "holds neither statistics (mu, sigma) nor pictures (arr_0)");
}

// Of names such as birds-{000..123}.tar.gz, which are no files themselves.
std::unique_ptr<Side> open_shard_names(const std::string& path, const SideOptions& options) {
  const std::vector<std::string> shards = expand_shard_names(path);
  const bool plain = std::all_of(shards.begin(), shards.end(),
                                 [](const std::string& shard) { return shard.ends_with(".tar"); });
  if (plain) return dataset_side(path, options);
  return side_of<ExampleJobs>(path, options, open_examples({path}));
}

}  // namespace

int64_t SideBatch::count() const {
  if (bytes.defined()) return bytes.size(0);
  return inputs.defined() ? inputs.size(0) : static_cast<int64_t>(pictures.size());
}

std::unique_ptr<Side> open_side(const std::string& path, const SideOptions& options) {
  if (path != "-" && !std::filesystem::exists(path) && has_shard_ending(path)) {
    return open_shard_names(path, options);
  }
  if (path == "-" || !std::filesystem::is_directory(path)) {
    auto input = std::make_shared<Input>(Input::open(path));
    const Format format = detect(input->peek(kPeek));
    if (format == Format::token_grid || format == Format::token_text) {
      return side_of<TokenJobs>(input->name(), options, std::move(*input), options);
    }
    if (format == Format::ppm) {
      return side_of<PpmJobs>(input->name(), options, std::move(*input));
    }
    if (format == Format::zip && path != "-") return open_numpy(path, options);
    if (path == "-" || format == Format::gzip || format == Format::zstd) {
      const auto folder = std::filesystem::path(path).parent_path();
      auto reader = read_examples(*input, path == "-" || folder.empty() ? "." : folder.string());
      if (reader != nullptr) {
        return side_of<ExampleJobs>(input->name(), options, std::move(reader), input);
      }
      throw Error(input->name(),
                  fmt::format("is {}, where a PPM stream, token grids or a tar shard are needed",
                              describe(format)));
    }
  }
  return dataset_side(path, options);
}

}  // namespace vq
