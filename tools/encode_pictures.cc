#include "tools/encode_pictures.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <vector>

#include "lib/codec/pixels.h"
#include "tools/cli/run.h"

namespace vq {
namespace {

TokenRecord to_record(const Example& example) {
  TokenRecord record;
  record.key = example.key;
  if (example.captions.size() == 1) record.more["caption"] = example.captions[0];
  if (example.captions.size() > 1) record.more["captions"] = example.captions;
  if (example.label >= 0) record.more["label"] = example.label;
  for (const auto& [name, value] : example.more.items()) record.more[name] = value;
  return record;
}

// Views that wait for the encoder, with the records they become.
class ViewEncoder {
 public:
  ViewEncoder(const Codec& codec, const ViewPlan& plan, const EncodeOptions& options,
              TokenWriter& writer)
      : codec_(codec), plan_(plan), options_(options), writer_(writer) {}

  void add(const FedPicture& picture) {
    for (size_t i = 0; i < picture.views.size(); ++i) {
      TokenRecord record = to_record(picture.example);
      record.key = plan_.key(picture.example.key, picture.views[i]);
      if (plan_.crops > 1) record.more["crop"] = picture.views[i].crop;
      if (picture.views[i].flip) record.more["flip"] = true;
      records_.push_back(std::move(record));
      images_.push_back(picture.images[i]);
      if (options_.sample_codes) {
        const int64_t side = codec_.grid_side(plan_.size);
        const auto draws = plan_.code_draws(picture.example.key, picture.views[i], side * side);
        draws_.insert(draws_.end(), draws.begin(), draws.end());
      }
      if (static_cast<int64_t>(records_.size()) == options_.batch) encode();
    }
  }
  bool waiting() const { return !records_.empty(); }

  void encode() {
    if (records_.empty()) return;
    const auto count = static_cast<int64_t>(records_.size());
    auto bytes = at::empty({count, plan_.size, plan_.size, 3}, at::kByte);
    uint8_t* to = bytes.data_ptr<uint8_t>();
    for (const Image& image : images_) {
      to = std::copy(image.rgb.begin(), image.rgb.end(), to);
    }
    const auto begin = Clock::now();
    const auto images = to_images(bytes);
    const auto tokens =
        (options_.sample_codes
             ? codec_.encode_drawn(images, at::tensor(draws_, at::kDouble).view({count, -1}))
             : codec_.encode(images))
            .contiguous();
    const auto encoded = Clock::now();
    const int64_t* row = tokens.data_ptr<int64_t>();
    for (TokenRecord& record : records_) {
      record.tokens.assign(row, row + tokens.size(1));
      row += tokens.size(1);
      writer_.write(record);
    }
    records_.clear();
    images_.clear();
    draws_.clear();
    encode_seconds += std::chrono::duration<double>(encoded - begin).count();
    write_seconds += std::chrono::duration<double>(Clock::now() - encoded).count();
  }

  double encode_seconds = 0, write_seconds = 0;

 private:
  using Clock = std::chrono::steady_clock;
  const Codec& codec_;
  const ViewPlan& plan_;
  EncodeOptions options_;
  TokenWriter& writer_;
  std::vector<TokenRecord> records_;
  std::vector<Image> images_;
  std::vector<double> draws_;  // where codes are drawn, one a cell
};

void tell_times(const FeedTimes& feed, const ViewEncoder& encoder, double waited) {
  cli::detail(
      fmt::format("seconds: encoder {:.2f}, writing {:.2f}, waiting for pictures {:.2f}; in the "
                  "threads beside: "
                  "list {:.2f}, reading {:.2f}, decoding {:.2f}, resizing {:.2f}",
                  encoder.encode_seconds, encoder.write_seconds, waited, feed.list, feed.read,
                  feed.decode, feed.frame));
}

}  // namespace

bool WantedViews::pull(FedPicture& picture) {
  while (set->next(picture.example)) {
    if (!shard.holds(next++)) continue;
    for (const PictureView& view : plan.views()) {
      if (done.contains(plan.key(picture.example.key, view))) continue;
      picture.views.push_back(view);
    }
    if (!picture.views.empty()) return true;
  }
  return false;
}

void BadPictures::list(const std::string& path, bool force) {
  list_.emplace(Output::log(path, force));
}

void BadPictures::add(const FedPicture& picture) {
  const Error& error = *picture.bad;
  const std::string name = picture.example.picture.name();
  if (list_) {
    const std::string reason = error.where() == name ? error.message() : error.what();
    list_->write(fmt::format("{}\t{}\n", cli::printable(name), cli::printable(reason)));
    list_->flush();
  }
  if (++count_ > most_) throw error;
  cli::say(error.where().empty() ? error.message() : error.where() + ": " + error.message());
}

void BadPictures::close() {
  if (list_) list_->close();
}

uint64_t encode_pictures(const std::shared_ptr<WantedViews>& wanted, const Codec& codec,
                         const EncodeOptions& options, TokenWriter& writer, BadPictures& bad,
                         cli::Progress& progress) {
  PictureFeed feed([wanted](FedPicture& p) { return wanted->pull(p); }, wanted->plan,
                   options.threads, 2 * options.batch);
  ViewEncoder encoder(codec, wanted->plan, options, writer);
  uint64_t pictures = 0;
  double waited = 0;
  const auto next = [&](FedPicture& picture) {
    const auto begin = std::chrono::steady_clock::now();
    const bool any = feed.next(picture);
    waited += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    return any;
  };
  while (true) {
    if (options.live && encoder.waiting() && !feed.ready()) {
      encoder.encode();
      writer.flush();
    }
    FedPicture picture;
    if (!next(picture)) break;
    ++pictures;
    if (picture.bad) {
      bad.add(picture);
    } else {
      encoder.add(picture);
    }
    progress.update(pictures);
  }
  encoder.encode();
  tell_times(feed.times(), encoder, waited);
  return pictures;
}

}  // namespace vq
