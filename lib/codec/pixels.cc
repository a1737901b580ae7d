#include "lib/codec/pixels.h"

#include <ATen/ATen.h>

#include <cstring>

namespace vq {

at::Tensor to_images(const at::Tensor& bytes) {
  return bytes.to(at::kFloat).div_(127.5).sub_(1.0).permute({0, 3, 1, 2});
}

at::Tensor to_bytes(const at::Tensor& images) {
  auto scaled = images.permute({0, 2, 3, 1}).to(at::kFloat).add(1.0).mul_(127.5);
  return scaled.round_().clamp_(0, 255).to(at::kByte).contiguous();
}

at::Tensor to_tensor(const Image& image) {
  auto bytes = at::empty({image.height, image.width, 3}, at::kByte);
  std::memcpy(bytes.data_ptr<uint8_t>(), image.rgb.data(), image.rgb.size());
  return bytes;
}

Image to_image(const at::Tensor& bytes, int64_t row) {
  auto one = bytes[row].to(at::kCPU).contiguous();
  Image image{static_cast<int>(one.size(1)), static_cast<int>(one.size(0)), {}};
  const uint8_t* data = one.data_ptr<uint8_t>();
  image.rgb.assign(data, data + one.numel());
  return image;
}

at::Tensor fold_pixels(const at::Tensor& x, int64_t n) {
  return n == 1 ? x : at::pixel_unshuffle(x, n).contiguous(at::MemoryFormat::ChannelsLast);
}

at::Tensor unfold_pixels(const at::Tensor& x, int64_t n) {
  return n == 1 ? x : at::pixel_shuffle(x, n);
}

at::Tensor psnr(const at::Tensor& images, const at::Tensor& others) {
  // The range is 2 wide, so the peak's square is 4.
  auto error = (images.to(at::kFloat) - others.to(at::kFloat)).pow(2).mean({1, 2, 3}) / 4;
  return -10 * error.clamp_min(1e-10).log10();
}

}  // namespace vq
