#include "lib/scoring/features.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include "formats/detect.h"
#include "formats/error.h"
#include "formats/torch_archive.h"
#include "lib/codec/pixels.h"
#include "lib/scoring/inception_file.h"
#include "lib/scoring/script_network.h"
#include "lib/scoring/small_classifier.h"
#include "lib/scoring/squeezenet.h"
#include "lib/weights/model_file.h"

namespace vq {
namespace {

class CodecFeatures : public FeatureNetwork {
 public:
  explicit CodecFeatures(std::shared_ptr<const Codec> codec) : codec_(std::move(codec)) {}

  at::Tensor operator()(const at::Tensor& images) const override {
    const at::NoGradGuard no_grad;
    const at::Tensor fitted = resize_images(images.to(codec_->device()), size());
    return pool_quarters(codec_->network().latent(fitted)).to(at::kCPU, at::kFloat);
  }
  int64_t size() const override { return codec_->config().image_size; }
  std::string name() const override { return "codec latent, means of quarters and deviation"; }
  std::string identity() const override { return codec_->identity(); }

 private:
  std::shared_ptr<const Codec> codec_;
};

class SqueezeNetFeatures : public FeatureNetwork {
 public:
  SqueezeNetFeatures(const ModelFile& file, at::Device device)
      : identity_(model_identity(file.tensors)), device_(device) {
    load_parameters(file, network_.parameters);
    network_.parameters.set_requires_grad(false);
    network_.parameters.to(device, at::kFloat);
  }

  at::Tensor operator()(const at::Tensor& images) const override {
    const at::NoGradGuard no_grad;
    const at::Tensor hidden = network_.hidden(resize_images(images.to(device_), size()));
    return hidden.mean({2, 3}).to(at::kCPU);
  }
  int64_t size() const override { return SqueezeNet::kSize; }
  std::string name() const override { return "squeezenet1.1 fire9, mean"; }
  std::string identity() const override { return identity_; }

 private:
  SqueezeNet network_;
  std::string identity_;
  at::Device device_;
};

class SmallFeatures : public FeatureNetwork {
 public:
  SmallFeatures(const ModelFile& file, at::Device device)
      : network_(SmallClassifierConfig::from_json(file.config, file.path), 0),
        identity_(model_identity(file.tensors)),
        device_(device) {
    load_parameters(file, network_.parameters);
    network_.parameters.set_requires_grad(false);
    network_.parameters.to(device, at::kFloat);
  }

  at::Tensor operator()(const at::Tensor& images) const override {
    const at::NoGradGuard no_grad;
    return network_.features(resize_images(images.to(device_), size())).to(at::kCPU);
  }
  at::Tensor logits(const at::Tensor& features) const override {
    const at::NoGradGuard no_grad;
    return network_.logits(features.to(device_)).to(at::kCPU);
  }
  int64_t size() const override { return network_.config.image_size; }
  std::string name() const override {
    return fmt::format("own {} of {} classes", kSmallClassifier, network_.config.classes.size());
  }
  std::string identity() const override { return identity_; }

 private:
  SmallClassifier network_;
  std::string identity_;
  at::Device device_;
};

class InceptionFeatures : public FeatureNetwork {
 public:
  InceptionFeatures(InceptionFile file, at::Device device, FidMode mode)
      : network_(std::move(file.network)), identity_(std::move(file.identity)), mode_(mode) {
    network_->to(device);
  }

  at::Tensor operator()(const at::Tensor& inputs) const override {
    return network_->features(inputs).to(at::kCPU);
  }
  at::Tensor logits(const at::Tensor& features) const override {
    return network_->logits(features).to(at::kCPU);
  }
  int64_t size() const override { return Inception::kSize; }
  std::string name() const override { return "inception-v3 2015-12-05 pool3"; }
  std::string identity() const override { return identity_; }

  at::Tensor prepare(const Image& picture) const override { return fid_input(picture, mode_); }
  bool fits_pictures() const override { return true; }
  bool standard() const override { return true; }
  std::string preprocessing() const override { return describe(mode_); }

 private:
  std::unique_ptr<Inception> network_;
  std::string identity_;
  FidMode mode_;
};

constexpr const char* kNeeded =
    "features come from FID's network (pt_inception-2015-12-05-6726825d.pth, or NVIDIA's "
    "inception-2015-12-05.pt), a codec (vq-train codec), or a feature network's file (vq-train "
    "features)";

// A file that does not say what its tensors are.
std::unique_ptr<FeatureNetwork> load_others(const std::string& path, at::Device device,
                                            const FeatureOptions& options, bool torch) {
  TensorBook book(path);
  if (is_inception(book.names())) {
    return std::make_unique<InceptionFeatures>(load_inception(std::move(book)), device,
                                               options.mode);
  }
  if (torch && TorchArchive(path).is_script()) return load_script(path, device, options.range);
  throw Error(path, "holds a network that is not known here", kNeeded);
}

bool says_what_it_is(const std::string& path) {
  return SafetensorsFile(path).metadata().count("vq.kind") != 0;
}

std::unique_ptr<FeatureNetwork> load_network(const ModelFile& file, at::Device device) {
  const Json name = file.config.value("architecture", Json());
  const std::string architecture = name.is_string() ? name.get<std::string>() : dump_json(name);
  if (architecture == "squeezenet1.1") return std::make_unique<SqueezeNetFeatures>(file, device);
  if (architecture == kSmallClassifier) return std::make_unique<SmallFeatures>(file, device);
  throw Error(file.path,
              fmt::format("is a feature network '{}', which is not known here; known are "
                          "{} and squeezenet1.1",
                          architecture, kSmallClassifier));
}

}  // namespace

at::Tensor FeatureNetwork::prepare(const Image& picture) const {
  return to_images(to_tensor(picture).unsqueeze(0))[0];
}

at::Tensor resize_images(const at::Tensor& images, int64_t size) {
  if (images.size(2) == size && images.size(3) == size) return images;
  return at::_upsample_bicubic2d_aa(images, {size, size}, /*align_corners=*/false).clamp(-1, 1);
}

at::Tensor pool_quarters(const at::Tensor& map) {
  const at::Tensor quarters = at::adaptive_avg_pool2d(map, {2, 2}).flatten(1);
  const at::Tensor deviation = map.flatten(2).std(2, /*unbiased=*/false);
  return at::cat({quarters, deviation}, 1);
}

std::unique_ptr<FeatureNetwork> codec_features(std::shared_ptr<const Codec> codec) {
  return std::make_unique<CodecFeatures>(std::move(codec));
}

std::unique_ptr<FeatureNetwork> load_features(const std::string& path, at::Device device,
                                              const FeatureOptions& options) {
  const Format format = detect_file(path);
  if (format != Format::safetensors && format != Format::torch) {
    throw Error(path, fmt::format("is {}, and no network", describe(format)), kNeeded);
  }
  const bool torch = format == Format::torch;
  if (torch || !says_what_it_is(path)) return load_others(path, device, options, torch);
  const ModelFile file = open_model(path, "");
  if (file.kind == "features") return load_network(file, device);
  if (file.kind != "codec") {
    throw Error(path, fmt::format("holds a {} model, which gives no features", file.kind), kNeeded);
  }
  auto codec = std::make_shared<Codec>(Codec::load(path));
  codec->to(device);
  return codec_features(std::move(codec));
}

}  // namespace vq
