// The loop of vq-encode: pictures that were read ahead, the codec, a stream of records.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>

#include "formats/bytes.h"
#include "formats/dataset.h"
#include "formats/token_grid.h"
#include "lib/codec/codec.h"
#include "lib/codec/picture_feed.h"
#include "tools/cli/shard.h"
#include "tools/cli/terminal.h"

namespace vq {

// Which views of which pictures are still to be made. The threads of a feed ask it.
struct WantedViews {
  std::unique_ptr<ExampleReader> set;
  ViewPlan plan;
  Shard shard;
  std::unordered_set<std::string> done;  // keys of records that an earlier run has written
  uint64_t next = 0;

  bool pull(FedPicture& picture);
};

// Pictures that cannot be read: named, listed, counted.
class BadPictures {
 public:
  explicit BadPictures(int64_t most) : most_(most) {}
  void list(const std::string& path, bool force);
  void add(const FedPicture& picture);  // throws for one too many
  int64_t count() const { return count_; }
  void close();

 private:
  int64_t most_, count_ = 0;
  std::optional<Output> list_;
};

struct EncodeOptions {
  int64_t batch = 32;
  int threads = 0;
  // Somebody is feeding us while we work: what is there is encoded before more is waited for.
  bool live = false;
  bool sample_codes = false;  // codes are drawn, not chosen
};

// Returns how many pictures there were, bad ones too.
uint64_t encode_pictures(const std::shared_ptr<WantedViews>& wanted, const Codec& codec,
                         const EncodeOptions& options, TokenWriter& writer, BadPictures& bad,
                         cli::Progress& progress);

}  // namespace vq
