// One tensor of a PyTorch archive: a view into a storage, and how to copy it out in order.
//
//   dtype, shape    as everywhere
//   strides         steps between neighbours along each side, in numbers; 0 repeats a number
//   offset          of the first number in the storage, in numbers
//   storage         the storage's key: tensors with the same key share their numbers
//
// Law: every number of the view lies inside its storage, and the storage is a whole record of the
// archive. Limits: 64 sides; a copy of at most 1 GiB beyond the size of the storage, because
// strides of 0 make tensors of any size out of one number.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/pickle_machine.h"
#include "formats/safetensors.h"

namespace vq {

struct TorchTensor {
  DType dtype = DType::f32;
  std::vector<int64_t> shape, strides;
  uint64_t offset = 0;
  std::string_view storage;
  std::span<const uint8_t> storage_bytes;  // live as long as the archive; at any address

  uint64_t count() const;  // numbers
  uint64_t bytes() const { return count() * dtype_size(dtype); }
  bool is_contiguous() const;  // rows after rows, without gaps: the copy is a part of the storage
};

// Copies the numbers row by row; TO has bytes() bytes. Throws vq::Error with an empty place.
void copy_tensor(const TorchTensor& tensor, std::span<uint8_t> to);
// The same in new memory; throws, before it takes any, where that is beyond the limit.
std::vector<uint8_t> copy_tensor(const TorchTensor& tensor);

// The bytes of the storage with this key; throws where there is none.
using TorchStorages = std::function<std::span<const uint8_t>(std::string_view key)>;

// What the value is when it is a tensor, alone or as a parameter. False: it is something else, a
// tensor of a type or kind not known here (complex, sparse, quantised) included. Throws vq::Error
// with an empty place for a tensor that breaks a rule.
bool read_torch_tensor(const Pickle& pickle, PickleId id, const TorchStorages& storages,
                       TorchTensor& tensor);

// "torch.FloatStorage" and the count of numbers, for a persistent id that is a storage; else false.
bool describe_storage(const Pickle& pickle, PickleId id, std::string& type, int64_t& count);

}  // namespace vq
