#include "lib/weights/tensor_book.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "formats/detect.h"
#include "formats/error.h"
#include "formats/torch_archive.h"
#include "lib/weights/model_file.h"

namespace vq {
namespace {

at::ScalarType float_type(DType dtype, const std::string& where) {
  switch (dtype) {
    case DType::f64:
      return at::kDouble;
    case DType::f32:
      return at::kFloat;
    case DType::f16:
      return at::kHalf;
    case DType::bf16:
      return at::kBFloat16;
    default:
      throw Error(where, fmt::format("is {}, where floating point is needed", dtype_name(dtype)));
  }
}

at::Tensor read_archive(const TorchArchive& archive, const std::string& name) {
  const TorchTensor& tensor = archive.tensor(name);
  at::Tensor result =
      at::empty(tensor.shape, float_type(tensor.dtype, archive.path() + ": tensor " + name));
  archive.read(name, {static_cast<uint8_t*>(result.data_ptr()), result.nbytes()});
  return result.to(at::kFloat);
}

at::Tensor read_safetensors(const SafetensorsFile& file, const std::string& name) {
  float_type(file.tensor(name).dtype, file.path() + ": tensor " + name);
  return load_tensor(file, name).to(at::kFloat);
}

std::string sizes_text(at::IntArrayRef shape) {
  return fmt::format("[{}]", fmt::join(shape.begin(), shape.end(), ", "));
}

}  // namespace

TensorBook::TensorBook(const std::string& path) : path_(path) {
  if (detect_file(path) == Format::safetensors) {
    const SafetensorsFile file(path);
    names_ = file.names();
    read_ = [file](const std::string& name) { return read_safetensors(file, name); };
  } else {
    const TorchArchive archive(path);
    names_ = archive.names();
    read_ = [archive](const std::string& name) { return read_archive(archive, name); };
  }
  known_.insert(names_.begin(), names_.end());
  left_ = known_;
}

at::Tensor TensorBook::take(const std::string& name) {
  if (!contains(name)) throw Error(path_, "tensor " + name + " is missing");
  left_.erase(name);
  return read_(name);
}

at::Tensor TensorBook::take(const std::string& name, at::IntArrayRef shape) {
  at::Tensor tensor = take(name);
  if (tensor.sizes() == shape) return tensor;
  throw Error(path_, fmt::format("tensor {} has shape {}, where {} is needed", name,
                                 sizes_text(tensor.sizes()), sizes_text(shape)));
}

}  // namespace vq
