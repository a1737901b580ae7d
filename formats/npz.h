// NumPy's archives (.npz): named arrays in a zip file, as numpy.savez and savez_compressed write
// them, and how statistics and sample batches of pictures travel between programs.
//
// Layout: a zip archive of NAME.npy; each is "\x93NUMPY", two bytes of version, the length of a
// header, the header (a Python literal with descr, fortran_order, shape), the numbers. Read are
// little-endian floats and integers and booleans; other types, structures and Python objects are
// refused with their names. Nothing in a file is run.
// Laws: no byte outside an array's record is read, and memory is taken as data come, whatever the
// header says; a checksum that disagrees is an error. Limit: 64 KiB of header, 64 dimensions.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/bytes.h"
#include "formats/safetensors.h"

namespace vq {

struct NpyArray {
  DType dtype = DType::f64;
  std::vector<int64_t> shape;
  bool fortran = false;            // columns first
  std::span<const uint8_t> bytes;  // at any address

  int64_t count() const;
};

// Reads the header of one .npy, and checks that as many bytes follow as it says. Throws vq::Error
// at `where`.
NpyArray parse_npy(std::span<const uint8_t> file, const std::string& where);

class NpzFile {
 public:
  explicit NpzFile(const std::string& path);  // mapped; throws vq::Error

  const std::string& path() const;
  std::vector<std::string> names() const;  // without ".npy"
  bool contains(const std::string& name) const;
  // Its bytes live as long as the file; compressed ones are unpacked into memory once.
  const NpyArray& array(const std::string& name) const;
  // The numbers row by row, converted. Throws where these are more than `limit`.
  std::vector<double> numbers(const std::string& name, int64_t limit = int64_t{1} << 28) const;
  std::string text(const std::string& name) const;  // of an array of bytes

 private:
  struct State;
  std::shared_ptr<State> state_;
};

struct NpyToWrite {
  std::string name;
  DType dtype;
  std::vector<int64_t> shape;
  std::span<const uint8_t> bytes;
};
// Written as numpy.savez does, uncompressed, below 4 GiB.
void write_npz(Output output, const std::vector<NpyToWrite>& arrays);

}  // namespace vq
