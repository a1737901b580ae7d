// Bytes <-> numbers, and pictures of any shape -> squares of one size.
//
//   bytes    (B, H, W, 3)   uint8, as in files
//   images   (B, 3, H, W)   float in [-1, 1], channels-last memory: the bytes' own order
//
// Laws: to_bytes(to_images(x)) == x; a picture that has the wanted size already is not touched.
// (pixels_test.cc)
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "formats/image.h"

namespace vq {

at::Tensor to_images(const at::Tensor& bytes);
at::Tensor to_bytes(const at::Tensor& images);  // rounded to the nearest, clamped

// One picture as (H, W, 3) uint8, and row b of (B, H, W, 3) as a picture.
at::Tensor to_tensor(const Image& image);
Image to_image(const at::Tensor& bytes, int64_t row);

// How a picture becomes square: its centre square is kept, or all of it is squashed.
enum class Resize { center, squash };
Resize resize_from_word(const std::string& word);

// size x size by bicubic resampling (a = -1/2) with antialiasing, as Pillow does it.
Image fit_image(const Image& image, int size, Resize how);
Image resample(const Image& image, int width, int height);

// (B, C, H, W) -> (B, C*n*n, H/n, W/n) and back: n x n pixels become channels.
at::Tensor fold_pixels(const at::Tensor& x, int64_t n);
at::Tensor unfold_pixels(const at::Tensor& x, int64_t n);

// Peak signal to noise of each picture in dB: (B), for images in [-1, 1].
at::Tensor psnr(const at::Tensor& images, const at::Tensor& others);

}  // namespace vq
