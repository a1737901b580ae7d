#include "lib/scoring/lpips.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "formats/bytes.h"
#include "formats/error.h"
#include "lib/codec/pixels.h"

namespace vq {
namespace {

constexpr const char* kHint =
    "python -c \"import lpips, torch; torch.save(lpips.LPIPS(net='alex').state_dict(), "
    "'lpips-alex.pth')\" writes one";

// A convolution or fire module with the ReLU after it, a pooling, or the end of a slice, whose
// output is compared. `index` is the layer's number in torchvision's network.
struct Step {
  enum Kind { conv, fire, pool, compare } kind;
  int index = 0;
  int64_t in = 0, out = 0;  // of a fire module `out` is what it squeezes to
  int64_t kernel = 0, stride = 1, padding = 0;
  int64_t expanded = 0;   // of a fire module: channels of each of its two halves
  bool round_up = false;  // of a pooling
};
constexpr Step conv3(int index, int64_t in, int64_t out) {
  return {Step::conv, index, in, out, 3, 1, 1};
}
constexpr Step fire(int index, int64_t in, int64_t squeezed, int64_t expanded) {
  return {Step::fire, index, in, squeezed, 0, 1, 0, expanded};
}
constexpr Step pool(int64_t kernel, bool round_up = false) {
  return {Step::pool, 0, 0, 0, kernel, 2, 0, 0, round_up};
}
constexpr Step kCompare = {Step::compare};

const std::vector<Step> kAlex = {{Step::conv, 0, 3, 64, 11, 4, 2},
                                 kCompare,
                                 pool(3),
                                 {Step::conv, 3, 64, 192, 5, 1, 2},
                                 kCompare,
                                 pool(3),
                                 conv3(6, 192, 384),
                                 kCompare,
                                 conv3(8, 384, 256),
                                 kCompare,
                                 conv3(10, 256, 256),
                                 kCompare};

const std::vector<Step> kVgg = {conv3(0, 3, 64),
                                conv3(2, 64, 64),
                                kCompare,
                                pool(2),
                                conv3(5, 64, 128),
                                conv3(7, 128, 128),
                                kCompare,
                                pool(2),
                                conv3(10, 128, 256),
                                conv3(12, 256, 256),
                                conv3(14, 256, 256),
                                kCompare,
                                pool(2),
                                conv3(17, 256, 512),
                                conv3(19, 512, 512),
                                conv3(21, 512, 512),
                                kCompare,
                                pool(2),
                                conv3(24, 512, 512),
                                conv3(26, 512, 512),
                                conv3(28, 512, 512),
                                kCompare};

const std::vector<Step> kSqueeze = {{Step::conv, 0, 3, 64, 3, 2, 0},
                                    kCompare,
                                    pool(3, true),
                                    fire(3, 64, 16, 64),
                                    fire(4, 128, 16, 64),
                                    kCompare,
                                    pool(3, true),
                                    fire(6, 128, 32, 128),
                                    fire(7, 256, 32, 128),
                                    kCompare,
                                    pool(3, true),
                                    fire(9, 256, 48, 192),
                                    kCompare,
                                    fire(10, 384, 48, 192),
                                    kCompare,
                                    fire(11, 384, 64, 256),
                                    kCompare,
                                    fire(12, 512, 64, 256),
                                    kCompare};

// Takes tensors and notes what they are, for the identity.
class NotedTensors {
 public:
  NotedTensors(TensorBook& book, at::Device device) : book_(book), device_(device) {}

  at::Tensor take(const std::string& name, at::IntArrayRef shape) {
    if (!book_.contains(name)) {
      throw Error(book_.path(), "tensor " + name + " of LPIPS is missing", kHint);
    }
    const at::Tensor tensor = book_.take(name, shape).contiguous();
    const auto* data = static_cast<const uint8_t*>(tensor.data_ptr());
    all_ += name + " " + sha256({data, tensor.nbytes()}) + "\n";
    return tensor.to(device_);
  }
  std::string identity() const { return sha256(as_bytes(all_)); }

 private:
  TensorBook& book_;
  at::Device device_;
  std::string all_;
};

using Layer = std::function<at::Tensor(const at::Tensor&)>;

Layer convolution(NotedTensors& tensors, const std::string& name, int64_t in, int64_t out,
                  int64_t kernel, int64_t stride, int64_t padding) {
  const at::Tensor weight = tensors.take(name + ".weight", {out, in, kernel, kernel})
                                .contiguous(at::MemoryFormat::ChannelsLast);
  const at::Tensor bias = tensors.take(name + ".bias", {out});
  return [=](const at::Tensor& x) {
    return at::conv2d(x, weight, bias, {stride, stride}, {padding, padding}).relu_();
  };
}

Layer layer_of(NotedTensors& tensors, const std::string& name, const Step& step) {
  if (step.kind == Step::pool) {
    return [step](const at::Tensor& x) {
      return at::max_pool2d(x, {step.kernel, step.kernel}, {step.stride, step.stride}, {0, 0},
                            {1, 1}, step.round_up);
    };
  }
  if (step.kind == Step::conv) {
    return convolution(tensors, name, step.in, step.out, step.kernel, step.stride, step.padding);
  }
  const Layer squeeze = convolution(tensors, name + ".squeeze", step.in, step.out, 1, 1, 0);
  const Layer one = convolution(tensors, name + ".expand1x1", step.out, step.expanded, 1, 1, 0);
  const Layer three = convolution(tensors, name + ".expand3x3", step.out, step.expanded, 3, 1, 1);
  return [=](const at::Tensor& x) {
    const at::Tensor few = squeeze(x);
    return at::cat({one(few), three(few)}, 1);
  };
}

std::pair<const char*, const std::vector<Step>*> network_of(const TensorBook& book) {
  if (book.contains("net.slice2.3.squeeze.weight")) return {"squeeze", &kSqueeze};
  if (book.contains("net.slice5.28.weight")) return {"vgg", &kVgg};
  if (book.contains("net.slice5.10.weight")) return {"alex", &kAlex};
  throw Error(book.path(), "is not LPIPS with one of its networks (alex, vgg or squeeze)", kHint);
}

at::Tensor direction(const at::Tensor& x) {
  return x / (at::linalg_vector_norm(x, 2, at::IntArrayRef{1}, /*keepdim=*/true) + 1e-10);
}

}  // namespace

Lpips::Lpips(TensorBook book, at::Device device) : device_(device) {
  const auto [word, steps] = network_of(book);
  name_ = std::string("lpips ") + word;
  NotedTensors tensors(book, device);
  shift_ = tensors.take("scaling_layer.shift", {1, 3, 1, 1});
  scale_ = tensors.take("scaling_layer.scale", {1, 3, 1, 1});
  slices_.emplace_back();
  int64_t channels = 0;
  for (const Step& step : *steps) {
    const size_t slice = slices_.size();
    if (step.kind == Step::compare) {
      heads_.push_back(
          tensors.take(fmt::format("lin{}.model.1.weight", slice - 1), {1, channels, 1, 1}));
      slices_.emplace_back();
      continue;
    }
    const std::string name = fmt::format("net.slice{}.{}", slice, step.index);
    slices_.back().push_back(layer_of(tensors, name, step));
    if (step.kind == Step::conv) channels = step.out;
    if (step.kind == Step::fire) channels = 2 * step.expanded;
  }
  slices_.pop_back();
  for (const std::string& name : book.left()) {
    if (name.starts_with("lins.")) continue;  // the heads once more
    throw Error(book.path(), "holds tensor " + name + ", which is not of LPIPS", kHint);
  }
  identity_ = tensors.identity();
}

at::Tensor Lpips::scaled(const at::Tensor& bytes) const {
  return ((to_images(bytes).to(device_) - shift_) / scale_)
      .contiguous(at::MemoryFormat::ChannelsLast);
}

at::Tensor Lpips::operator()(const at::Tensor& bytes, const at::Tensor& others) const {
  const at::NoGradGuard no_grad;
  if (std::min(bytes.size(1), bytes.size(2)) < kSmallest) {
    throw Error("", fmt::format("pictures of {} x {} are too small for lpips, which needs {} x {}",
                                bytes.size(2), bytes.size(1), kSmallest, kSmallest));
  }
  at::Tensor x = scaled(bytes), y = scaled(others);
  at::Tensor sum = at::zeros({bytes.size(0)}, at::TensorOptions(at::kDouble));
  for (size_t i = 0; i < slices_.size(); ++i) {
    for (const Layer& layer : slices_[i]) {
      x = layer(x);
      y = layer(y);
    }
    const at::Tensor weighed = ((direction(x) - direction(y)).square() * heads_[i]).sum(1);
    sum += weighed.mean({1, 2}).to(at::kCPU, at::kDouble);
  }
  return sum;
}

}  // namespace vq
