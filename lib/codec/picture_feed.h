// A data set -> pictures of one size in their order, read and decoded ahead by several threads.
//
// Of one picture there may be several views: crops that differ in what they draw, each also
// mirrored.
//
// Laws: what comes out, and its order, do not depend on the number of threads; what a view draws is
// a function of (seed, key, crop), so a shard or a run that goes on draws the same; no more than
// `ahead` pictures are in memory, however many there are. (picture_feed_test.cc)
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "formats/dataset.h"
#include "formats/error.h"
#include "formats/resample.h"

namespace vq {

struct PictureView {
  int crop = 0;
  bool flip = false;
};

struct ViewPlan {
  int size = 32;
  Resize resize = Resize::center;
  int crops = 1;
  bool flip = false;  // each crop also mirrored, behind it
  uint64_t seed = 0;

  std::vector<PictureView> views() const;
  // "bird/1", or, where there are several views, "bird/1@crop0", "bird/1@crop0+flip",
  // "bird/1@flip".
  std::string key(const std::string& picture, const PictureView& view) const;
  // How much of the picture, and which part, a view shows.
  FramingDraws draws(const std::string& picture, int crop) const;
  // One number between 0 and 1 a cell, for codecs whose codes are drawn.
  std::vector<double> code_draws(const std::string& picture, const PictureView& view,
                                 int64_t cells) const;
  Image view(const Image& image, const std::string& picture, const PictureView& view) const;
};

struct FedPicture {
  Example example;
  std::vector<PictureView> views;  // those that are wanted
  std::vector<Image> images;       // one a view; none when it could not be read
  std::optional<Error> bad;        // why
};

// Seconds of all threads together.
struct FeedTimes {
  double list = 0;    // waiting for the data set to name a picture, or to bring it
  double read = 0;    // its bytes
  double decode = 0;  // bytes -> pixels
  double frame = 0;   // crops, resampling
};

class PictureFeed {
 public:
  // Fills in `example` and `views` of the next picture; false at the end. Called by one thread at a
  // time, in order. It may wait for as long as it likes: a feed that is dropped does not wait for
  // it, so it must own what it uses.
  using Pull = std::function<bool(FedPicture&)>;

  PictureFeed(Pull pull, const ViewPlan& plan, int threads, int64_t ahead);
  ~PictureFeed();
  PictureFeed(const PictureFeed&) = delete;
  PictureFeed& operator=(const PictureFeed&) = delete;

  // False at the end. Throws what pull() threw, once all before it was handed out.
  bool next(FedPicture& picture);
  bool ready();  // next() would not wait
  FeedTimes times() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace vq
