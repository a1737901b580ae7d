// Safetensors files: named tensors, memory-mapped for reading, checked in every offset.
//
// Layout (huggingface/safetensors, format description): u64 header length, JSON header, data. The
// header maps a name to {"dtype","shape","data_offsets"}; "__metadata__" maps strings to strings.
// Limits: header 100 MB (the reference's own limit). Laws: offsets lie in the file, do not overlap
// and leave no hole; shape times item size equals the span; names are unique. No tensor library
// here.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "formats/bytes.h"

namespace vq {

enum class DType { f64, f32, f16, bf16, i64, i32, i16, i8, u8, boolean };

size_t dtype_size(DType dtype);
const char* dtype_name(DType dtype);  // "F32" as in the file

struct TensorView {
  DType dtype;
  std::vector<int64_t> shape;
  // Points into the map; lives as long as the file object. Other people's files may place it at any
  // address: copy before reading it as anything wider than a byte unless is_aligned().
  std::span<const uint8_t> bytes;

  bool is_aligned() const {
    return reinterpret_cast<uintptr_t>(bytes.data()) % dtype_size(dtype) == 0;
  }
};

class SafetensorsFile {
 public:
  explicit SafetensorsFile(const std::string& path);  // throws vq::Error naming the rule broken

  const std::string& path() const;
  const std::map<std::string, std::string>& metadata() const;
  const std::vector<std::string>& names() const;  // in the order of their data
  bool contains(const std::string& name) const;
  TensorView tensor(const std::string& name) const;  // throws when absent
  // Keeps the map alive; for tensors that point into it. The map is private and writable: writing
  // changes this process's copy and never the file.
  std::shared_ptr<const void> mapping() const;
  // Gives back the memory its pages take (formats/mapped_file.h): only while nothing was written.
  void forget() const;

 private:
  struct State;
  std::shared_ptr<const State> state_;
};

struct TensorToWrite {
  std::string name;
  DType dtype;
  std::vector<int64_t> shape;
  std::span<const uint8_t> bytes;
};

struct TensorLayout {
  std::string name;
  DType dtype;
  std::vector<int64_t> shape;
};

// The same for tensors that are not all in memory at once: the header first, then the bytes of the
// tensors one behind the other, in pieces of any size. close() throws when they are not as many as
// the layouts say; not closed (an exception, say), no file appears.
class SafetensorsWriter {
 public:
  SafetensorsWriter(const std::string& path, const std::vector<TensorLayout>& tensors,
                    const std::map<std::string, std::string>& metadata, bool force);
  void write(std::span<const uint8_t> bytes);
  void close();

 private:
  uint64_t left_ = 0;  // bytes to come
  Output output_;
};

// Written to PATH.part and renamed, tensors in the given order. The data begin at a multiple of 64
// (the header is padded with spaces), and the format allows no holes, so a tensor is aligned when
// those before it fill whole multiples: put wide types first. Same content gives the same bytes.
void write_safetensors(const std::string& path, const std::vector<TensorToWrite>& tensors,
                       const std::map<std::string, std::string>& metadata, bool force);

}  // namespace vq
