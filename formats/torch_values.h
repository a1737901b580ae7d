// What a checkpoint's pickle holds: its tensors by name, and everything else as a tree to read.
//
// Names. A tensor's name is the way to it, joined by dots as PyTorch's state_dict() does: keys of
// dicts, positions in lists, attributes of objects ("model.encoder.conv_in.weight",
// "optimizer.state.0.exp_avg"). In the state of a whole pickled module the levels _parameters,
// _buffers and _modules are left out, so that its names are those of its state_dict(). A file that
// is one tensor and nothing else calls it "tensor". Two tensors of one name are an error; one
// tensor in two places has two names.
//
// The tree. Numbers, texts, lists (tuples and sets too), dicts with their keys as text; what is
// infinite or not a number is "inf", "-inf", "nan"; an object is {"class": "argparse.Namespace"}
// with "args", "state", "elements" and "items" where it has them; bytes and long texts are
// {"class": "bytes", "length": 1200}. What holds tensors and nothing else is left out.
//
// Limits, against values that share parts until they are endless: 64 levels, 4,194,304 places
// looked at, 262,144 tensors with 64 MiB of names (all errors); a list or dict shows 1024 members
// and the tree 32 MiB, and where more is left out it says how much ("...": "17 more").
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "formats/json.h"
#include "formats/torch_tensor.h"

namespace vq {

struct TorchValues {
  std::vector<std::pair<std::string, TorchTensor>> tensors;  // in the order of the pickle
  Json tree;                                                 // {} when there are only tensors
};

// WHERE names the file in messages (vq::Error).
TorchValues read_torch_values(const Pickle& pickle, const TorchStorages& storages,
                              const std::string& where);

}  // namespace vq
