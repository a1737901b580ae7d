#include "formats/report_torch.h"

#include <map>

#include "formats/torch_archive.h"

namespace vq {

void report_torch_archive(Json& report, const std::string& path) {
  report["kind"] = "PyTorch archive";
  const TorchArchive archive(path);
  if (archive.is_script()) report["kind"] = "TorchScript archive";
  struct Part {
    uint64_t tensors = 0, parameters = 0;
  };
  std::map<std::string, Part> parts;
  std::map<std::string, uint64_t> types;
  Json tensors = Json::array();
  uint64_t parameters = 0;
  for (const std::string& name : archive.names()) {
    const TorchTensor& tensor = archive.tensor(name);
    Part& part = parts[name.substr(0, name.find('.'))];
    ++part.tensors;
    part.parameters += tensor.count();
    parameters += tensor.count();
    types[dtype_name(tensor.dtype)] += tensor.count();
    tensors.push_back(
        {{"name", name}, {"dtype", dtype_name(tensor.dtype)}, {"shape", tensor.shape}});
  }
  report["parameters"] = parameters;
  report["dtypes"] = types;
  Json& list = report["parts"] = Json::object();
  for (const auto& [name, part] : parts) {
    list.push_back({name, {{"tensors", part.tensors}, {"parameters", part.parameters}}});
  }
  report["values"] = archive.values();
  report["tensors"] = std::move(tensors);
  report["whole"] = archive.check() ? Json(true) : Json();
}

}  // namespace vq
