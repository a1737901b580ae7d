// Any network saved as TorchScript, as a feature network: its program runs here.
//
//   forward(images (B, 3, S, S) float32) -> (B, D), or (B, D, ...) of which the mean is taken
//   range     of the images: unit 0..1, signed -1..1, bytes 0..255
//
// What a script does is its own affair: it is a program, and runs with the rights of whoever loads
// it. The identity is the sha256 of the file.                          (script_network_test.cc)
#pragma once

#include <c10/core/Device.h>

#include <memory>
#include <string>
#include <vector>

#include "lib/scoring/features.h"

namespace vq {

const std::vector<std::string>& input_range_words();  // in the order of InputRange
InputRange input_range_from_word(const std::string& word);

// Throws vq::Error with what LibTorch finds wrong, in a sentence.
std::unique_ptr<FeatureNetwork> load_script(const std::string& path, at::Device device,
                                            InputRange range);

}  // namespace vq
