// FID's network from the files that people have it in.
//
//   pt_inception-2015-12-05-6726825d.pth   pytorch-fid's and torch-fidelity's state dictionary
//   inception-2015-12-05.pt                NVIDIA's TorchScript (StyleGAN, EDM, clean-fid)
//   a safetensors file                     with the names of the first
//
// Both files hold the same numbers under other names; the script has no gamma, which is 1 in the
// other. The identity is the sha256 of the numbers under the names of the first, so it does not
// depend on the file they came in. None of these files is part of this toolkit.
//
// Law: every tensor of the network is there, and in the first and the third form no other is.
//                                                                        (inception_file_test.cc)
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib/scoring/inception.h"
#include "lib/weights/tensor_book.h"

namespace vq {

struct InceptionFile {
  std::unique_ptr<Inception> network;
  std::string identity;
};

// What a file is, by the names of its tensors.
bool is_inception(const std::vector<std::string>& names);

// Throws vq::Error: tensors missing, of other shapes (torchvision's own network among them), not of
// the network.
InceptionFile load_inception(TensorBook book);

// "Mixed_5b.branch5x5_2.conv.weight" -> "layers.mixed.tower.conv_1.weight"; with a batch norm's
// gamma, "".
std::string script_name(std::string_view name);

}  // namespace vq
