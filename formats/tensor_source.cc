#include "formats/tensor_source.h"

#include "formats/detect.h"
#include "formats/error.h"
#include "formats/torch_archive.h"

namespace vq {
namespace {

TensorSource from_safetensors(const std::string& path) {
  const SafetensorsFile file(path);
  TensorSource source{path, {}, Json::object()};
  for (const auto& [key, text] : file.metadata()) source.values[key] = text;
  for (const std::string& name : file.names()) {
    const TensorView view = file.tensor(name);
    source.tensors.push_back(
        {name, view.dtype, view.shape, [file, bytes = view.bytes](const auto& to) { to(bytes); }});
  }
  return source;
}

TensorSource from_torch(const std::string& path) {
  const TorchArchive archive(path);
  TensorSource source{path, {}, archive.values()};
  for (const std::string& name : archive.names()) {
    const TorchTensor& tensor = archive.tensor(name);
    const auto read = [archive, name](const auto& to) {
      const TorchTensor& t = archive.tensor(name);
      if (t.is_contiguous()) {
        to(t.storage_bytes.subspan(t.offset * dtype_size(t.dtype), t.bytes()));
      } else {
        to(archive.read(name));
      }
    };
    source.tensors.push_back({name, tensor.dtype, tensor.shape, read});
  }
  return source;
}

}  // namespace

uint64_t SourceTensor::count() const {
  uint64_t n = 1;
  for (const int64_t side : shape) n *= static_cast<uint64_t>(side);
  return n;
}

TensorSource TensorSource::open(const std::string& path) {
  const Format format = detect_file(path);
  if (format == Format::safetensors) return from_safetensors(path);
  if (format == Format::torch || format == Format::torch_legacy || format == Format::zip)
    return from_torch(path);
  throw Error(path, std::string("is ") + describe(format) + ", not a file of weights",
              "safetensors files and PyTorch's checkpoints (.pth .pt .ckpt .bin) are read");
}

}  // namespace vq
