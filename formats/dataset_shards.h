// WebDataset: tar shards, whose members with one stem are one sample.
//
//   birds/0042.jpg             the picture: .jpg .jpeg .png .webp .ppm, the first of these that is
//   there birds/0042.txt             a caption birds/0042.json            "caption", "captions" and
//   "text" are captions, "label" a class
//                              number; all others are passed on, a class name as "class"
//   birds/0042.cls             the class number
// The stem ends before the first dot of the base name ("0042.seg.png" belongs to 0042 and is no
// picture of ours), and is the key. Members of a sample follow each other; others, those that are
// no regular files, and names that begin with a dot or look like __this__ are passed over. A key
// that an earlier shard has used gets the shard's name in front: "birds-000001/0042".
#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "formats/dataset.h"
#include "formats/tar.h"

namespace vq {

class ShardReader : public ExampleReader {
 public:
  // in_stream: the pictures come with the examples, and shards may be pipes or compressed.
  // in_place: examples say where they lie, and only files that are plain will do.
  enum class Pictures { in_stream, in_place };

  ShardReader(std::vector<std::string> paths, Pictures pictures);
  explicit ShardReader(Input input);  // one shard, in_stream

  // Throws vq::Error: a damaged shard (with its last whole sample), a sample without a picture, a
  // key that comes twice, labels partly given.
  bool next(Example& example) override;

 private:
  struct Sample;
  struct Place {
    size_t shard;
    uint64_t sample;  // counted from 1 in its shard
  };

  bool open_next();
  bool next_member();
  void collect(Sample& sample);
  void add_member(Sample& sample, const std::string& suffix);
  void finish(Sample& sample, Example& example);
  void give_key(Example& example);
  void check_label(const Example& example, const std::string& where);
  std::string where(const std::string& stem) const;

  std::vector<std::string> paths_;
  Pictures pictures_;
  std::optional<TarReader> tar_;
  size_t opened_ = 0;   // shards so far
  std::string shard_;   // name of the one that is open
  uint64_t whole_ = 0;  // samples of it that were handed out,
  std::string last_;    // the last of them
  TarMember member_;    // read but not yet part of a sample
  bool has_member_ = false;
  std::unordered_map<std::string, Place> keys_;
  std::vector<std::string> names_;  // of the shards, for messages
  std::optional<bool> labelled_;
};

}  // namespace vq
