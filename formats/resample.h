// Pictures of any shape -> squares of one size: which part is kept, and how it is resampled.
//
// Resampling is bicubic (a = -1/2) with the kernel stretched when shrinking, so that every pixel
// counts, in Pillow's own arithmetic: weights of 22 bits, across first and then down, rounded to
// bytes in between. (Pillow 13 goes down first where the height shrinks much more than the width:
// there, and only there, it differs from all versions before it, and from us.)
//
//   center        the centre square, resampled
//   squash        all of it, squashed
//   paper-val     as VQ-Diffusion's code prepares pictures for validation: the short side becomes
//                 `size`, the long side in proportion (rounded down), then the centre square
//   paper-train   as it does for training: a square of the short side's length, off the middle by
//   up
//                 to an eighth of what the long side has more, resampled to a side drawn from
//                 size .. 9/8 size (never more than the picture has), and a random window of that
//
// Laws: a picture that has the wanted size already is not touched by the first three; every byte is
// Pillow's (resample_test.cc, tests/parity).
#pragma once

#include <array>
#include <string>
#include <vector>

#include "formats/image.h"

namespace vq {

enum class Resize { center, squash, paper_val, paper_train };

// "center", "squash", "paper-val", "paper-train", in the order of the enumeration.
const std::vector<std::string>& resize_words();
Resize resize_from_word(const std::string& word);
// Does it draw? Then several crops of one picture differ.
inline bool is_random(Resize how) { return how == Resize::paper_train; }

struct Rect {
  int left = 0, top = 0, width = 0, height = 0;
};

// The pixels of `from` become width x height, of which `keep` is what is wanted.
struct Framing {
  Rect from;
  int width = 0, height = 0;
  Rect keep;
};

// Numbers in (0, 1) for what paper-train draws, in the order in which it does: offset down, offset
// across, side, window down, window across.
using FramingDraws = std::array<double, 5>;
inline constexpr FramingDraws kMiddleDraws = {0.5, 0.5, 0.5, 0.5, 0.5};

// How a picture of width x height becomes size x size.
Framing frame_picture(Resize how, int width, int height, int size,
                      const FramingDraws& draws = kMiddleDraws);

// Only what is kept is computed, so a long thin picture costs no more than another.
Image resample(const Image& image, const Framing& framing);
// All of it.
Image resample(const Image& image, int width, int height);

// size x size.
Image fit_image(const Image& image, int size, Resize how, const FramingDraws& draws = kMiddleDraws);

// Left becomes right.
Image mirrored(Image image);

}  // namespace vq
