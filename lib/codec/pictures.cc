#include "lib/codec/pictures.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <mutex>
#include <numeric>
#include <thread>

namespace vq {
namespace {

int thread_count(const ReadOptions& options, size_t jobs) {
  const int cores = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  const int wanted = options.threads > 0 ? options.threads : cores;
  return static_cast<int>(std::min<size_t>(jobs, wanted));
}

Error as_error(const std::string& name, const std::exception& e) {
  if (const auto* error = dynamic_cast<const Error*>(&e)) return *error;
  return Error(name, e.what());
}

void join_all(std::vector<std::thread>& threads) {
  for (auto& thread : threads) thread.join();
}

}  // namespace

PictureBatch read_pictures(const std::vector<PictureSource>& pictures, const ReadOptions& options) {
  const int64_t size = options.size;
  PictureBatch batch{at::zeros({static_cast<int64_t>(pictures.size()), size, size, 3}, at::kByte),
                     {}};
  uint8_t* to = batch.bytes.data_ptr<uint8_t>();
  std::atomic<size_t> next{0};
  std::mutex lock;
  const auto work = [&] {
    for (size_t i; (i = next.fetch_add(1)) < pictures.size();) {
      try {
        const Image image = fit_image(pictures[i].read(), options.size, options.resize);
        std::memcpy(to + i * image.rgb.size(), image.rgb.data(), image.rgb.size());
      } catch (const std::exception& e) {
        const std::lock_guard<std::mutex> guard(lock);
        batch.bad.push_back({static_cast<int64_t>(i), as_error(pictures[i].name(), e)});
      }
    }
  };
  std::vector<std::thread> others;
  for (int t = 1; t < thread_count(options, pictures.size()); ++t) others.emplace_back(work);
  work();
  join_all(others);
  std::sort(batch.bad.begin(), batch.bad.end(),
            [](const BadPicture& a, const BadPicture& b) { return a.index < b.index; });
  return batch;
}

TrainingPictures::TrainingPictures(std::vector<PictureSource> pictures, const Options& options,
                                   const Told& told)
    : sources_(std::move(pictures)), options_(options), order_(sources_.size()) {
  std::iota(order_.begin(), order_.end(), 0);
  const auto each = static_cast<uint64_t>(options.read.size) * options.read.size * 3;
  if (sources_.size() * each <= options.max_bytes) load_all(told);
}

TrainingPictures::TrainingPictures(at::Tensor bytes)
    : order_(bytes.size(0)), bytes_(std::move(bytes)) {
  std::iota(order_.begin(), order_.end(), 0);
}

void TrainingPictures::load_all(const Told& told) {
  constexpr size_t kAtOnce = 512;
  std::vector<at::Tensor> parts;
  std::vector<int64_t> good;
  for (size_t first = 0; first < sources_.size(); first += kAtOnce) {
    const size_t last = std::min(sources_.size(), first + kAtOnce);
    std::vector<int64_t> which(order_.begin() + first, order_.begin() + last);
    PictureBatch batch = read(which);
    std::vector<int64_t> kept(which.size());
    std::iota(kept.begin(), kept.end(), 0);
    for (BadPicture& bad : batch.bad) {
      std::erase(kept, bad.index);
      bad.index = which[bad.index];
      bad_.push_back(bad);
      if (static_cast<int64_t>(bad_.size()) > options_.max_bad) throw bad.error;
    }
    for (int64_t row : kept) good.push_back(which[row]);
    parts.push_back(kept.size() == which.size()
                        ? batch.bytes
                        : batch.bytes.index_select(0, at::tensor(kept, at::kLong)));
    if (told) told(static_cast<int64_t>(last), static_cast<int64_t>(sources_.size()));
  }
  if (good.empty()) throw Error("", "no picture could be read");
  bytes_ = at::cat(parts);
  order_ = std::move(good);
}

PictureBatch TrainingPictures::read(const std::vector<int64_t>& which) const {
  std::vector<PictureSource> pictures;
  for (int64_t i : which) pictures.push_back(sources_[order_[i]]);
  return read_pictures(pictures, options_.read);
}

// Training goes on with a neighbour in place of a picture that cannot be read.
void TrainingPictures::replace_bad(PictureBatch& batch, const std::vector<int64_t>& which) {
  std::vector<bool> is_bad(which.size(), false);
  for (const BadPicture& bad : batch.bad) is_bad[bad.index] = true;
  const auto good = std::find(is_bad.begin(), is_bad.end(), false);
  for (const BadPicture& bad : batch.bad) {
    const int64_t source = order_[which[bad.index]];
    const auto known = [&](const BadPicture& b) { return b.index == source; };
    if (std::none_of(bad_.begin(), bad_.end(), known)) bad_.push_back({source, bad.error});
    if (static_cast<int64_t>(bad_.size()) > options_.max_bad || good == is_bad.end()) {
      throw bad.error;
    }
    batch.bytes[bad.index].copy_(batch.bytes[good - is_bad.begin()]);
  }
}

void TrainingPictures::prefetch(const std::vector<int64_t>& which) {
  if (in_memory()) return;
  next_which_ = which;
  next_ = std::async(std::launch::async, [this, which] { return read(which); });
}

at::Tensor TrainingPictures::batch(const std::vector<int64_t>& which) {
  if (in_memory()) return bytes_.index_select(0, at::tensor(which, at::kLong));
  const bool expected = next_.valid() && next_which_ == which;
  PictureBatch batch = expected ? next_.get() : read(which);
  replace_bad(batch, which);
  return batch.bytes;
}

}  // namespace vq
