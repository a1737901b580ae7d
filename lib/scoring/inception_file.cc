#include "lib/scoring/inception_file.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <map>

#include "formats/bytes.h"
#include "formats/error.h"

namespace vq {
namespace {

constexpr const char* kFirst = "Conv2d_1a_3x3.conv.weight";
constexpr const char* kHint =
    "FID's network is pt_inception-2015-12-05-6726825d.pth (pytorch-fid) or "
    "inception-2015-12-05.pt (NVIDIA)";

// The script's modules, and the branches in each kind of module.
const std::map<std::string, std::string, std::less<>> kModules = {
    {"Conv2d_1a_3x3", "conv"},   {"Conv2d_2a_3x3", "conv_1"}, {"Conv2d_2b_3x3", "conv_2"},
    {"Conv2d_3b_1x1", "conv_3"}, {"Conv2d_4a_3x3", "conv_4"}, {"Mixed_5b", "mixed"},
    {"Mixed_5c", "mixed_1"},     {"Mixed_5d", "mixed_2"},     {"Mixed_6a", "mixed_3"},
    {"Mixed_6b", "mixed_4"},     {"Mixed_6c", "mixed_5"},     {"Mixed_6d", "mixed_6"},
    {"Mixed_6e", "mixed_7"},     {"Mixed_7a", "mixed_8"},     {"Mixed_7b", "mixed_9"},
    {"Mixed_7c", "mixed_10"}};
using Branches = std::map<std::string, std::string, std::less<>>;
const Branches kBranchesA = {{"branch1x1", "conv"},
                             {"branch5x5_1", "tower.conv"},
                             {"branch5x5_2", "tower.conv_1"},
                             {"branch3x3dbl_1", "tower_1.conv"},
                             {"branch3x3dbl_2", "tower_1.conv_1"},
                             {"branch3x3dbl_3", "tower_1.conv_2"},
                             {"branch_pool", "tower_2.conv"}};
const Branches kBranchesB = {{"branch3x3", "conv"},
                             {"branch3x3dbl_1", "tower.conv"},
                             {"branch3x3dbl_2", "tower.conv_1"},
                             {"branch3x3dbl_3", "tower.conv_2"}};
const Branches kBranchesC = {{"branch1x1", "conv"},
                             {"branch7x7_1", "tower.conv"},
                             {"branch7x7_2", "tower.conv_1"},
                             {"branch7x7_3", "tower.conv_2"},
                             {"branch7x7dbl_1", "tower_1.conv"},
                             {"branch7x7dbl_2", "tower_1.conv_1"},
                             {"branch7x7dbl_3", "tower_1.conv_2"},
                             {"branch7x7dbl_4", "tower_1.conv_3"},
                             {"branch7x7dbl_5", "tower_1.conv_4"},
                             {"branch_pool", "tower_2.conv"}};
const Branches kBranchesD = {
    {"branch3x3_1", "tower.conv"},       {"branch3x3_2", "tower.conv_1"},
    {"branch7x7x3_1", "tower_1.conv"},   {"branch7x7x3_2", "tower_1.conv_1"},
    {"branch7x7x3_3", "tower_1.conv_2"}, {"branch7x7x3_4", "tower_1.conv_3"}};
const Branches kBranchesE = {{"branch1x1", "conv"},
                             {"branch3x3_1", "tower.conv"},
                             {"branch3x3_2a", "tower.mixed.conv"},
                             {"branch3x3_2b", "tower.mixed.conv_1"},
                             {"branch3x3dbl_1", "tower_1.conv"},
                             {"branch3x3dbl_2", "tower_1.conv_1"},
                             {"branch3x3dbl_3a", "tower_1.mixed.conv"},
                             {"branch3x3dbl_3b", "tower_1.mixed.conv_1"},
                             {"branch_pool", "tower_2.conv"}};

const Branches& branches_of(std::string_view module) {
  if (module.starts_with("Mixed_5")) return kBranchesA;
  if (module == "Mixed_6a") return kBranchesB;
  if (module.starts_with("Mixed_6")) return kBranchesC;
  return module == "Mixed_7a" ? kBranchesD : kBranchesE;
}

// Files write some steps of a path with a point and some with an underscore.
std::string flattened(std::string name) {
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

// Gives tensors and takes note: what they are, for the identity.
class Reading {
 public:
  explicit Reading(TensorBook& book) : book_(book) {}

  at::Tensor take(const std::string& name, const std::string& in_file, at::IntArrayRef shape) {
    if (!book_.contains(in_file)) {
      throw Error(book_.path(), "tensor " + name + " of Inception v3 is missing", kHint);
    }
    const at::Tensor tensor = book_.take(in_file, shape).contiguous();
    note(name, tensor);
    return tensor;
  }
  void note(const std::string& name, const at::Tensor& tensor) {
    const auto* data = static_cast<const uint8_t*>(tensor.data_ptr());
    all_ += name + " " + sha256({data, tensor.nbytes()}) + "\n";
  }
  std::string identity() const { return sha256(as_bytes(all_)); }

 private:
  TensorBook& book_;
  std::string all_;
};

InceptionFile read_plain(TensorBook& book) {
  Reading reading(book);
  auto network = std::make_unique<Inception>([&](const std::string& name, at::IntArrayRef shape) {
    return reading.take(name, name, shape);
  });
  for (const std::string& name : book.left()) {
    if (name.ends_with("num_batches_tracked")) continue;
    throw Error(book.path(), "holds tensor " + name + ", which is not of FID's network", kHint);
  }
  return {std::move(network), reading.identity()};
}

InceptionFile read_script(TensorBook& book) {
  std::map<std::string, std::string> by_flat;
  for (const std::string& name : book.names()) by_flat[flattened(name)] = name;
  Reading reading(book);
  auto network = std::make_unique<Inception>([&](const std::string& name, at::IntArrayRef shape) {
    const std::string wanted = script_name(name);
    if (wanted.empty()) {
      const at::Tensor ones = at::ones(shape, at::kFloat);
      reading.note(name, ones);
      return ones;
    }
    const auto found = by_flat.find(flattened(wanted));
    return reading.take(name, found != by_flat.end() ? found->second : wanted, shape);
  });
  return {std::move(network), reading.identity()};
}

bool is_script_layout(const std::vector<std::string>& names) {
  return std::any_of(names.begin(), names.end(), [](const std::string& name) {
    return flattened(name) == flattened(script_name("Mixed_7c.branch3x3dbl_3b.conv.weight"));
  });
}

bool is_plain_layout(const std::vector<std::string>& names) {
  return std::find(names.begin(), names.end(), kFirst) != names.end();
}

}  // namespace

std::string script_name(std::string_view name) {
  if (name == "fc.weight") return "output.weight";
  if (name == "fc.bias") return "output.bias";
  const size_t first = name.find('.');
  const std::string_view module = name.substr(0, first);
  std::string_view rest = name.substr(first + 1);
  std::string path = "layers." + kModules.find(module)->second;
  if (module.starts_with("Mixed")) {
    const size_t second = rest.find('.');
    path += "." + branches_of(module).find(rest.substr(0, second))->second;
    rest = rest.substr(second + 1);
  }
  if (rest == "conv.weight") return path + ".weight";
  if (rest == "bn.bias") return path + ".beta";
  if (rest == "bn.running_mean") return path + ".mean";
  if (rest == "bn.running_var") return path + ".var";
  return "";
}

bool is_inception(const std::vector<std::string>& names) {
  return is_plain_layout(names) || is_script_layout(names);
}

InceptionFile load_inception(TensorBook book) {
  return is_plain_layout(book.names()) ? read_plain(book) : read_script(book);
}

}  // namespace vq
