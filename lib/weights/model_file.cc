#include "lib/weights/model_file.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstring>
#include <set>

#include "formats/bytes.h"
#include "formats/detect.h"
#include "formats/error.h"

namespace vq {
namespace {

DType to_dtype(at::ScalarType type, const std::string& name) {
  switch (type) {
    case at::kDouble:
      return DType::f64;
    case at::kFloat:
      return DType::f32;
    case at::kHalf:
      return DType::f16;
    case at::kBFloat16:
      return DType::bf16;
    case at::kLong:
      return DType::i64;
    case at::kInt:
      return DType::i32;
    case at::kShort:
      return DType::i16;
    case at::kChar:
      return DType::i8;
    case at::kByte:
      return DType::u8;
    case at::kBool:
      return DType::boolean;
    default:
      throw Error(name, "a tensor of this type cannot be written to safetensors");
  }
}

std::string shape_text(at::IntArrayRef shape) {
  return fmt::format("[{}]", fmt::join(shape.begin(), shape.end(), ", "));
}

// "a, b, c and 12 more"
std::string name_list(const std::vector<std::string>& names) {
  constexpr size_t kShown = 4;
  std::string text;
  for (size_t i = 0; i < names.size() && i < kShown; ++i) text += (i ? ", " : "") + names[i];
  if (names.size() > kShown) text += fmt::format(" and {} more", names.size() - kShown);
  return text;
}

// The file's bytes as a tensor without a copy; valid while the file is.
at::Tensor view_tensor(const SafetensorsFile& file, const std::string& name) {
  const TensorView view = file.tensor(name);
  const auto options = at::TensorOptions(scalar_type_of(view.dtype));
  const auto address = reinterpret_cast<uintptr_t>(view.bytes.data());
  if (address % dtype_size(view.dtype) != 0) {  // reading numbers at odd addresses is undefined
    at::Tensor copy = at::empty(view.shape, options);
    if (!view.bytes.empty()) std::memcpy(copy.data_ptr(), view.bytes.data(), view.bytes.size());
    return copy;
  }
  return at::from_blob(const_cast<uint8_t*>(view.bytes.data()), view.shape, options);
}

// The same, valid as long as it lives.
at::Tensor mapped_tensor(const SafetensorsFile& file, const at::Tensor& view) {
  return at::from_blob(
      view.data_ptr(), view.sizes(), [map = file.mapping()](void*) {}, view.options());
}

// What stands for a large tensor's bytes in the identity.
std::string sampled_digest(std::span<const uint8_t> bytes) {
  constexpr size_t kPage = 4096, kPages = 16;
  if (bytes.size() <= kPage * kPages) return sha256(bytes);
  Bytes pages;
  for (size_t i = 0; i < kPages; ++i) {
    const auto page = bytes.subspan((bytes.size() - kPage) * i / (kPages - 1), kPage);
    pages.insert(pages.end(), page.begin(), page.end());
  }
  return sha256(pages);
}

Json metadata_json(const SafetensorsFile& file, const char* name, Json otherwise) {
  const auto found = file.metadata().find(name);
  if (found == file.metadata().end()) return otherwise;
  return parse_json(found->second, file.path() + ": " + name);
}

}  // namespace

at::ScalarType scalar_type_of(DType dtype) {
  switch (dtype) {
    case DType::f64:
      return at::kDouble;
    case DType::f32:
      return at::kFloat;
    case DType::f16:
      return at::kHalf;
    case DType::bf16:
      return at::kBFloat16;
    case DType::i64:
      return at::kLong;
    case DType::i32:
      return at::kInt;
    case DType::i16:
      return at::kShort;
    case DType::i8:
      return at::kChar;
    case DType::u8:
      return at::kByte;
    case DType::boolean:
      return at::kBool;
  }
  throw Error("", "unknown tensor type");
}

ModelFile open_model(const std::string& path, const std::string& kind) {
  SafetensorsFile tensors(path);
  const auto found = tensors.metadata().find("vq.kind");
  if (found == tensors.metadata().end()) {
    throw Error(path, "a safetensors file, but not one of this toolkit: it has no \"vq.kind\"");
  }
  if (!kind.empty() && found->second != kind) {
    throw Error(path,
                fmt::format("holds a {} model, where a {} model is needed", found->second, kind));
  }
  Json config = metadata_json(tensors, "vq.config", Json::object());
  Json history = metadata_json(tensors, "vq.history", Json::array());
  return {path, found->second, std::move(config), std::move(history), std::move(tensors)};
}

void load_parameters(const ModelFile& file, Parameters& parameters, const std::string& prefix,
                     const std::vector<std::string>& besides, Keep keep) {
  const at::NoGradGuard no_grad;
  std::set<std::string> unused;
  for (const std::string& name : file.tensors.names()) {
    if (name.compare(0, prefix.size(), prefix) == 0) unused.insert(name);
  }
  for (const std::string& name : besides) unused.erase(name);
  std::vector<std::string> missing;
  for (const Parameters::Entry& entry : parameters.entries()) {
    const std::string name = prefix + entry.name;
    if (unused.erase(name) == 0) {
      missing.push_back(name);
      continue;
    }
    const at::Tensor value = view_tensor(file.tensors, name);
    if (value.sizes() != entry.tensor.sizes()) {
      throw Error(file.path,
                  fmt::format("tensor {} has shape {}, the network needs {}", name,
                              shape_text(value.sizes()), shape_text(entry.tensor.sizes())));
    }
    at::Tensor to = entry.tensor;
    const bool as_is = value.scalar_type() == to.scalar_type() && to.is_cpu() &&
                       file.tensors.tensor(name).is_aligned();
    if (keep == Keep::map && as_is) {
      to.set_data(mapped_tensor(file.tensors, value));
    } else {
      to.copy_(value);
    }
  }
  if (!missing.empty()) throw Error(file.path, "missing tensors: " + name_list(missing));
  if (!unused.empty()) {
    throw Error(file.path,
                "tensors the network has no use for: " + name_list({unused.begin(), unused.end()}));
  }
}

void save_model(const std::string& path, const std::string& kind, const Json& config,
                const Json& history, const std::vector<NamedTensor>& tensors, bool force) {
  std::vector<at::Tensor> held;  // keeps the contiguous copies alive until they are written
  std::vector<TensorToWrite> list;
  for (const NamedTensor& named : tensors) {
    held.push_back(named.tensor.detach().to(at::kCPU).contiguous());
    const at::Tensor& t = held.back();
    list.push_back({named.name,
                    to_dtype(t.scalar_type(), named.name),
                    t.sizes().vec(),
                    {static_cast<const uint8_t*>(t.data_ptr()), t.nbytes()}});
  }
  write_safetensors(
      path, list,
      {{"vq.kind", kind}, {"vq.config", dump_json(config)}, {"vq.history", dump_json(history)}},
      force);
}

std::vector<NamedTensor> named_tensors(const Parameters& parameters, const std::string& prefix) {
  std::vector<NamedTensor> tensors;
  for (const Parameters::Entry& entry : parameters.entries()) {
    tensors.push_back({prefix + entry.name, entry.tensor});
  }
  return tensors;
}

at::Tensor load_tensor(const SafetensorsFile& file, const std::string& name) {
  return view_tensor(file, name).clone();
}

std::string model_identity(const SafetensorsFile& file) {
  // A digest of digests: each tensor's name and content, so that the whole file is never in memory
  // at once. Samples touch little, but the kernel maps the large pages of its cache whole.
  constexpr size_t kMuch = size_t{256} << 20;
  size_t total = 0;
  for (const std::string& name : file.names()) total += file.tensor(name).bytes.size();
  std::string all;
  size_t touched = 0;
  for (const std::string& name : file.names()) {
    const auto bytes = file.tensor(name).bytes;
    all += name + " " + (total < kMuch ? sha256(bytes) : sampled_digest(bytes)) + "\n";
    touched += bytes.size();
    if (touched < kMuch / 2) continue;
    file.forget();
    touched = 0;
  }
  return sha256(as_bytes(all));
}

}  // namespace vq
