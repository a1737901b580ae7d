// PyTorch archives as torch.save writes them, for tensors that are not all in memory at once.
//
// A zip archive of stored records: data.pkl, byteorder, data/0 data/1 ... with the numbers,
// version. The pickle (protocol 2) names nothing but PyTorch's storages, _rebuild_tensor_v2 and
// OrderedDict, so that torch.load reads it with weights_only=True, and PyTorch 1.6 too. Numbers
// begin at multiples of 64 bytes. Sizes and offsets beyond 4 GiB, and records beyond 65535, take
// the zip64 fields. Same content gives the same bytes.
//
// The root is a dict: first `values` (texts, whole numbers, fractions, true, false, null), then the
// groups, each an OrderedDict of tensors, in the order in which they are first named. A tensor of
// group "" is a member of the root; one that has no name either is the whole file.
//
// Law: what is written, torch_archive reads back, bit for bit.     (torch_archive_writer_test.cc)
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "formats/bytes.h"
#include "formats/json.h"
#include "formats/safetensors.h"

namespace vq {

struct TorchLayout {
  std::string group, name;
  DType dtype = DType::f32;
  std::vector<int64_t> shape;
  // The numbers are those of an earlier tensor, by its position, and are stored once: as torch.save
  // does it for a tensor with two names. Its dtype and shape are the same.
  std::optional<size_t> same_as;
};

// Writes to PATH.part. After the constructor come the bytes of the tensors that have their own, one
// behind the other, in pieces of any size. close() throws when they are not as many as the layouts
// say; not closed (an exception, say), no file appears.
class TorchArchiveWriter {
 public:
  TorchArchiveWriter(const std::string& path, const std::vector<TorchLayout>& tensors,
                     const Json& values, bool force, uint64_t zip64_from = UINT32_MAX);
  void write(std::span<const uint8_t> bytes);
  void close();

 private:
  struct Record {
    std::string name;
    uint64_t offset = 0, size = 0;
    uint32_t crc = 0;
  };
  void begin(const std::string& name, uint64_t size);
  void add(std::span<const uint8_t> bytes);
  void end();
  void add_record(const std::string& name, std::string_view content);
  void begin_storages();  // the next one that has numbers
  void write_directory();

  Output output_;
  uint64_t zip64_from_;
  std::vector<Record> records_;
  std::vector<uint64_t> storages_;  // their sizes
  size_t next_storage_ = 0;
  uint64_t left_ = 0;  // bytes to come of the record that is open
  bool open_ = false;
};

}  // namespace vq
