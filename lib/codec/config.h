// What a codec looks like: every number that decides its tensors, and the four named sizes.
//
//   factor f = patch * 2^(levels - 1)     pixels a side of one token; levels = multipliers.size()
//   a picture of S x S pixels has L = (S / f)^2 tokens
//
// The family is the convolutional codec of taming-transformers (Esser et al., CVPR 2021). Two
// numbers are ours, and make a codec trainable on a laptop: `patch`, with which the network works
// on patch x patch pixels folded into channels, and `linear`, with which it starts as good as the
// best linear code of single cells. The members after `codes` are those of released codecs alone:
// a file that does not speak of them means their defaults.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "formats/json.h"

namespace vq {

struct CodecConfig {
  int64_t image_size = 32;  // a side of the pictures it is made for
  int64_t patch = 4;        // pixels folded into channels at both ends; 1: none
  int64_t channels = 64;    // of the first level
  // Of the channels, level by level, full resolution first.
  std::vector<int64_t> multipliers = {1, 2};
  int64_t encoder_blocks = 1;  // residual blocks a level
  int64_t decoder_blocks = 1;
  int64_t middle_blocks = 0;  // residual blocks at the lowest resolution, in encoder and decoder
  bool linear = true;         // a linear path beside each half (codec/linear_path.h)
  bool attention = false;     // in the lowest level and in the middle
  int64_t groups = 8;         // of GroupNorm; 0: no normalisation
  int64_t latent = 64;        // channels between the network and the 1x1 convolutions
  int64_t code_width = 64;    // numbers in a code
  int64_t codes = 1024;       // K, what a token may be

  int64_t stem = 0;  // channels of the encoder's first convolution; 0: as `channels`
  // How a latent vector becomes a code: "nearest" takes the code nearest to it, "logits" the
  // largest of the scores that a 1x1 convolution gives all codes (the Gumbel codecs).
  std::string quantiser = "nearest";
  // The codebook's size where only `codes` of them are used, by a table from codebook to token;
  // 0: all are.
  int64_t full_codes = 0;

  int64_t levels() const { return static_cast<int64_t>(multipliers.size()); }
  int64_t factor() const { return patch << (levels() - 1); }
  int64_t level_channels(int64_t level) const { return channels * multipliers[level]; }

  int64_t stem_channels() const { return stem > 0 ? stem : channels; }
  int64_t codebook_rows() const { return full_codes > 0 ? full_codes : codes; }

  // Throws vq::Error at `where` when the numbers do not fit together.
  void check(const std::string& where) const;

  Json to_json() const;
  // Every member up to `codes` must be there, and none that is unknown; throws vq::Error at
  // `where`.
  static CodecConfig from_json(const Json& json, const std::string& where);

  // "tiny" learns 32 x 32 pictures in two minutes on two cores; "small" is for 64 to 128 pixels on
  // one GPU or with patience; "base" and "large" are the networks of the released VQ-Diffusion
  // codecs (ITHQ and OpenImages).
  static CodecConfig named(const std::string& size);
  static const std::vector<std::string>& names();
};

}  // namespace vq
