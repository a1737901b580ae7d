// Picture files -> bytes of one size, read by several threads.
//
//   read_pictures    (B, S, S, 3) uint8 of B files, and what was wrong with those that could not be
//   read TrainingPictures the same for any picture numbers of a data set: from memory where they
//   fit, else from the
//                    files, the next batch being read while this one is used
//
// Law: what comes out does not depend on the number of threads. (pictures_test.cc)
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <future>
#include <string>
#include <vector>

#include "formats/error.h"
#include "formats/picture_source.h"
#include "lib/codec/pixels.h"

namespace vq {

struct ReadOptions {
  int size = 32;
  Resize resize = Resize::center;
  int threads = 0;  // 0: as many as there are cores
};

struct BadPicture {
  int64_t index;  // in the list that was asked for
  Error error;
};

struct PictureBatch {
  at::Tensor bytes;             // rows of bad pictures are black
  std::vector<BadPicture> bad;  // in order
};

PictureBatch read_pictures(const std::vector<PictureSource>& pictures, const ReadOptions& options);

class TrainingPictures {
 public:
  struct Options {
    ReadOptions read;
    uint64_t max_bytes = uint64_t{2} << 30;  // kept in memory up to here
    int64_t max_bad = 0;                     // unreadable pictures left out; one more is an error
  };
  // Tells how many pictures of how many were read.
  using Told = std::function<void(int64_t done, int64_t total)>;

  TrainingPictures(std::vector<PictureSource> pictures, const Options& options,
                   const Told& told = {});
  // For tests and for pictures that are tensors already: (N, S, S, 3) uint8.
  explicit TrainingPictures(at::Tensor bytes);

  int64_t count() const { return static_cast<int64_t>(order_.size()); }
  // The place of a picture among those that were given: bad ones are left out of the numbering.
  int64_t source(int64_t picture) const { return order_[static_cast<size_t>(picture)]; }
  bool in_memory() const { return bytes_.defined(); }
  const std::vector<BadPicture>& bad() const { return bad_; }

  at::Tensor batch(const std::vector<int64_t>& which);  // (B, S, S, 3) uint8
  void prefetch(const std::vector<int64_t>& which);     // will be asked for next

 private:
  void load_all(const Told& told);
  PictureBatch read(const std::vector<int64_t>& which) const;
  void replace_bad(PictureBatch& batch, const std::vector<int64_t>& which);

  std::vector<PictureSource> sources_;
  Options options_;
  std::vector<int64_t> order_;  // picture number -> source
  at::Tensor bytes_;            // in memory only
  std::vector<BadPicture> bad_;
  std::vector<int64_t> next_which_;
  std::future<PictureBatch> next_;
};

}  // namespace vq
