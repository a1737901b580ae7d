#include "lib/scoring/script_network.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/import.h>

#include <algorithm>

#include "formats/bytes.h"
#include "formats/error.h"
#include "formats/mapped_file.h"

namespace vq {
namespace {

constexpr int64_t kSize = 224;

// LibTorch's messages run over many lines, the last of which says what is wrong.
std::string last_line(const std::exception& error) {
  std::string text = error.what();
  const size_t frames = text.find("\nException raised from");
  text.resize(std::min(text.size(), frames));
  while (!text.empty() && text.back() == '\n') text.pop_back();
  const size_t line = text.rfind('\n');
  return line == text.npos ? text : text.substr(line + 1);
}

class ScriptFeatures : public FeatureNetwork {
 public:
  ScriptFeatures(std::string path, torch::jit::Module module, std::string identity,
                 at::Device device, InputRange range)
      : path_(std::move(path)),
        module_(std::move(module)),
        identity_(std::move(identity)),
        device_(device),
        range_(range) {}

  at::Tensor operator()(const at::Tensor& images) const override {
    const at::NoGradGuard no_grad;
    at::Tensor x = images.to(device_);
    if (range_ == InputRange::unit) x = (x + 1) / 2;
    if (range_ == InputRange::bytes) x = (x + 1) * 127.5;
    at::Tensor y = run(x.contiguous());
    if (y.dim() > 2) y = y.flatten(2).mean(2);
    return y.to(at::kCPU, at::kFloat);
  }
  int64_t size() const override { return kSize; }
  std::string name() const override { return "TorchScript of the user's"; }
  std::string identity() const override { return identity_; }
  std::string preprocessing() const override {
    return "range " + input_range_words()[static_cast<size_t>(range_)];
  }

 private:
  at::Tensor run(const at::Tensor& x) const {
    c10::IValue result;
    try {
      result = module_.forward({x});
    } catch (const std::exception& error) {
      throw Error(path_, "the script failed: " + last_line(error));
    }
    if (!result.isTensor() || result.toTensor().dim() < 2 ||
        result.toTensor().size(0) != x.size(0) || !result.toTensor().is_floating_point()) {
      throw Error(path_, "the script gives no features: a tensor of one row a picture");
    }
    return result.toTensor();
  }

  std::string path_;
  mutable torch::jit::Module module_;  // whose forward is not const
  std::string identity_;
  at::Device device_;
  InputRange range_;
};

}  // namespace

const std::vector<std::string>& input_range_words() {
  static const std::vector<std::string> words = {"signed", "unit", "bytes"};
  return words;
}

InputRange input_range_from_word(const std::string& word) {
  const auto& words = input_range_words();
  const auto found = std::find(words.begin(), words.end(), word);
  if (found == words.end()) {
    throw Error::usage("--network-range", "'" + word + "' is none of signed, unit, bytes");
  }
  return static_cast<InputRange>(found - words.begin());
}

std::unique_ptr<FeatureNetwork> load_script(const std::string& path, at::Device device,
                                            InputRange range) {
  std::string identity = sha256(MappedFile(path, "TorchScript").bytes());
  try {
    torch::jit::Module module = torch::jit::load(path, device);
    module.eval();
    return std::make_unique<ScriptFeatures>(path, std::move(module), std::move(identity), device,
                                            range);
  } catch (const std::exception& error) {
    throw Error(path, "is no TorchScript that runs here: " + last_line(error));
  }
}

}  // namespace vq
