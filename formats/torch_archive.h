// PyTorch's checkpoints (.pth .pt .ckpt .bin): their tensors by name and their other values, read
// without Python and without running anything that the file names.
//
// Layout: a zip archive NAME/data.pkl (the values, a pickle), NAME/data/0, 1, ... (the numbers of
// each storage, stored as they are), NAME/byteorder, NAME/version. Written by torch.save since
// PyTorch 1.6. How tensors are named and what the tree of values shows: torch_values.h. What
// becomes of calls in the pickle: pickle_names.h. The limits are those of zip_directory.h,
// pickle_machine.h and torch_values.h.
//
// TorchScript archives (they hold constants.pkl and code/) are the same zip files with a compiled
// program beside the values: the tensors of their modules are read, the program is not looked at.
// Refused with a sentence: the format from before 1.6, big-endian archives, compressed records.
//
// Laws: opening reads the directory and the pickle and no storage; every tensor lies in its
// storage before the archive is open; a file larger than memory is no matter, as it is mapped.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "formats/bytes.h"
#include "formats/json.h"
#include "formats/torch_tensor.h"

namespace vq {

class TorchArchive {
 public:
  explicit TorchArchive(const std::string& path);  // mapped; throws vq::Error
  TorchArchive(Bytes archive, const std::string& name);

  const std::string& path() const;
  bool is_script() const;                         // TorchScript
  const Json& values() const;                     // everything that is no tensor
  const std::vector<std::string>& names() const;  // in the order of the pickle
  bool contains(const std::string& name) const;
  // Throws when absent. Its bytes live as long as the archive, or a copy of it.
  const TorchTensor& tensor(const std::string& name) const;
  // The numbers row by row, from the storage of this one tensor. Throws when absent, and before it
  // takes memory where a tensor repeats a few numbers to more than a GiB.
  Bytes read(const std::string& name) const;
  void read(const std::string& name, std::span<uint8_t> to) const;  // TO has tensor(name).bytes()
  // Reads all records and throws where a checksum disagrees. False: some have none (PyTorch can be
  // told to write none). Compressed records, a TorchScript's code, are not looked at.
  bool check() const;

 private:
  struct State;
  std::shared_ptr<const State> state_;
};

}  // namespace vq
