// A picture -> what FID's network is given, in the three ways that are in use. They differ by
// several FID, so numbers of different ways cannot be compared.
//
//   picture    8-bit RGB of any size; all of it is brought to 299 x 299, whatever its shape
//   result     (3, 299, 299) float32
//
//   clean        bicubic with antialiasing in floating point, clamped to 0..255, (x - 128) / 128
//                (clean-fid's "clean")
//   pytorch      bilinear between pixel centres without antialiasing, x / 127.5 - 1 (pytorch-fid)
//   tensorflow   bilinear as TensorFlow 1 had it, top left corners aligned, without antialiasing,
//                (x - 128) / 128 (the first FID, torch-fidelity, StyleGAN, ADM)
//
// Law: equal to those programs' own numbers to 1e-5.   (fid_input_test.cc, tests/parity/scoring.sh)
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "formats/image.h"

namespace vq {

enum class FidMode { clean, pytorch, tensorflow };

const std::vector<std::string>& fid_mode_words();
FidMode fid_mode_from_word(const std::string& word);
// One line for the results: how pictures were brought to size and scaled.
const char* describe(FidMode mode);

at::Tensor fid_input(const Image& image, FidMode mode, int64_t size = 299);

// Resampling without rounding to bytes, (H, W, 3) in 0..255 -> (size_y, size_x, 3).
enum class Filter { bicubic_antialias, bilinear_centres, bilinear_corners };
at::Tensor resample_floats(const Image& image, int64_t width, int64_t height, Filter filter);

}  // namespace vq
