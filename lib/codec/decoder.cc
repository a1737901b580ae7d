#include "lib/codec/decoder.h"

#include <ATen/ATen.h>

#include "lib/codec/pixels.h"

namespace vq {

Decoder::Decoder(Parameters& p, const CodecConfig& c) : patch_(c.patch) {
  const std::string name = "decoder.";
  int64_t width = c.level_channels(c.levels() - 1);
  conv_in_ = Conv2d(p, name + "conv_in", c.latent, width, 3);
  mid_.emplace(p, name + "mid", width, c.groups, c.middle_blocks, c.attention);
  for (int64_t l = c.levels() - 1; l >= 0; --l) {
    const std::string at = name + "up." + std::to_string(l);
    const bool lowest = l + 1 == c.levels();
    Level& level = up_.emplace_back();
    for (int64_t b = 0; b < c.decoder_blocks; ++b) {
      const std::string index = std::to_string(b);
      level.blocks.emplace_back(p, at + ".block." + index, width, c.level_channels(l), c.groups);
      width = c.level_channels(l);
      if (lowest && c.attention)
        level.attention.emplace_back(p, at + ".attn." + index, width, c.groups);
    }
    if (l > 0) {
      const int64_t next = c.decoder_blocks > 0 ? width : c.level_channels(l - 1);
      level.upsample = Upsample(p, at + ".upsample.conv", width, next);
      width = next;
    }
  }
  norm_out_.emplace(p, name + "norm_out", width, c.groups);
  conv_out_ = Conv2d(p, name + "conv_out", width, 3 * patch_ * patch_, 3);
}

void Decoder::prepare(Precision precision) {
  for (Level& level : up_) {
    if (level.upsample) level.upsample->prepare(precision);
  }
}

void Decoder::to(at::Device device) {
  for (Level& level : up_) {
    if (level.upsample) level.upsample->to(device);
  }
}

at::Tensor Decoder::operator()(const at::Tensor& latent) const {
  auto x = (*mid_)(conv_in_(latent));
  for (const Level& level : up_) {
    for (size_t b = 0; b < level.blocks.size(); ++b) {
      x = level.blocks[b](x);
      if (b < level.attention.size()) x = level.attention[b](x);
    }
    if (level.upsample) x = (*level.upsample)(x);
  }
  return unfold_pixels(conv_out_(norm_out_->activated(x)), patch_);
}

}  // namespace vq
