// Bytes <-> numbers.
//
//   bytes    (B, H, W, 3)   uint8, as in files
//   images   (B, 3, H, W)   float in [-1, 1], channels-last memory: the bytes' own order
//
// Law: to_bytes(to_images(x)) == x. (pixels_test.cc)
#pragma once

#include <ATen/core/Tensor.h>

#include "formats/image.h"
#include "formats/resample.h"

namespace vq {

at::Tensor to_images(const at::Tensor& bytes);
at::Tensor to_bytes(const at::Tensor& images);  // rounded to the nearest, clamped

// One picture as (H, W, 3) uint8, and row b of (B, H, W, 3) as a picture.
at::Tensor to_tensor(const Image& image);
Image to_image(const at::Tensor& bytes, int64_t row);

// (B, C, H, W) -> (B, C*n*n, H/n, W/n) and back: n x n pixels become channels.
at::Tensor fold_pixels(const at::Tensor& x, int64_t n);
at::Tensor unfold_pixels(const at::Tensor& x, int64_t n);

// Peak signal to noise of each picture in dB: (B), for images in [-1, 1].
at::Tensor psnr(const at::Tensor& images, const at::Tensor& others);

}  // namespace vq
