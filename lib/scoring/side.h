// One side of a comparison: its pictures, a batch at a time, from wherever they are.
//
//   a data set (formats/dataset.h)        read by several threads, the next batch while this one is
//                                         used; compressed shards and shards on "-" too
//   a PPM stream, in a file or "-"        pictures without names
//   token grids, in a file or "-"         decoded with their codec
//   NumPy's "arr_0" (N, H, W, 3) uint8    a sample batch as ADM's evaluation takes it
//   saved statistics (.npz)               no pictures, but what is needed of them
//
// Pictures come out size x size, as vq-encode makes them, as `prepare` makes them, or as they are,
// or several of these.
// Memory does not grow with their number.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "formats/error.h"
#include "lib/codec/codec.h"
#include "lib/codec/pixels.h"
#include "lib/scoring/statistics_file.h"

namespace vq {

struct SideOptions {
  int size = 32;            // 0: no bytes are handed out
  bool as_they_are = false;  // hand out `pictures`, each of its own size
  Resize resize = Resize::center;
  int64_t batch = 32;
  int threads = 0;
  std::shared_ptr<const Codec> codec;  // for token grids; may be empty
  std::string codec_path;
  // Told of each unreadable picture, which is left out; throws when there are too many.
  std::function<void(const Error&)> on_bad = [](const Error& error) { throw error; };
  // What a network is given of a picture; empty: nothing. Called by several threads.
  std::function<at::Tensor(const Image&)> prepare;
};

struct SideBatch {
  std::vector<std::string> keys;  // empty where pictures have no names
  at::Tensor bytes;               // (B, size, size, 3) uint8
  at::Tensor inputs = {};         // (B, 3, S, S) float
  std::vector<at::Tensor> pictures = {};  // B of (H, W, 3) uint8
  std::vector<std::string> captions =
      {};  // one of each picture, where pictures have some; else empty

  int64_t count() const;
};

class Side {
 public:
  virtual ~Side() = default;
  // False at the end. Batches are full but for the last, and for unreadable pictures.
  virtual bool next(SideBatch& batch) = 0;
  virtual int64_t total() const { return 0; }  // 0: not known before the end
  virtual const std::string& name() const = 0;

  // The names of all pictures where they are known beforehand, and a new order where that can be
  // chosen.
  virtual std::vector<std::string> keys() const { return {}; }
  virtual void order_by(const std::vector<std::string>&) {}

  // After the end: which pictures these were (picture_digest.h); empty where that is not known.
  virtual std::string digest() const { return {}; }
  // Statistics in place of pictures; null where there are pictures.
  virtual const SavedStatistics* saved() const { return nullptr; }
};

// Throws vq::Error: nothing there, a format that holds no pictures, token grids without their
// codec.
std::unique_ptr<Side> open_side(const std::string& path, const SideOptions& options);

}  // namespace vq
