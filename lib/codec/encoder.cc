#include "lib/codec/encoder.h"

#include <ATen/ATen.h>

#include "lib/codec/pixels.h"

namespace vq {

Encoder::Encoder(Parameters& p, const CodecConfig& c) : patch_(c.patch) {
  const std::string name = "encoder.";
  int64_t width = c.stem_channels();
  conv_in_ = Conv2d(p, name + "conv_in", 3 * patch_ * patch_, width, 3);
  for (int64_t l = 0; l < c.levels(); ++l) {
    const std::string at = name + "down." + std::to_string(l);
    const bool last = l + 1 == c.levels();
    Level& level = down_.emplace_back();
    for (int64_t b = 0; b < c.encoder_blocks; ++b) {
      const std::string index = std::to_string(b);
      level.blocks.emplace_back(p, at + ".block." + index, width, c.level_channels(l), c.groups);
      width = c.level_channels(l);
      if (last && c.attention)
        level.attention.emplace_back(p, at + ".attn." + index, width, c.groups);
    }
    // Without a block the strided convolution itself goes to the next level's width.
    if (!last) {
      const int64_t next = c.encoder_blocks > 0 ? width : c.level_channels(l + 1);
      level.downsample = Conv2d(p, at + ".downsample.conv", width, next, 3, 2, 0);
      width = next;
    }
  }
  mid_.emplace(p, name + "mid", width, c.groups, c.middle_blocks, c.attention);
  norm_out_.emplace(p, name + "norm_out", width, c.groups);
  conv_out_ = Conv2d(p, name + "conv_out", width, c.latent, 3);
}

at::Tensor Encoder::hidden(const at::Tensor& images) const {
  auto x = conv_in_(fold_pixels(images, patch_));
  for (const Level& level : down_) {
    for (size_t b = 0; b < level.blocks.size(); ++b) {
      x = level.blocks[b](x);
      if (b < level.attention.size()) x = level.attention[b](x);
    }
    // The released codecs pad at the right and bottom only.
    if (level.downsample) x = (*level.downsample)(at::constant_pad_nd(x, {0, 1, 0, 1}));
  }
  return norm_out_->activated((*mid_)(x));
}

at::Tensor Encoder::operator()(const at::Tensor& images) const { return conv_out_(hidden(images)); }

}  // namespace vq
