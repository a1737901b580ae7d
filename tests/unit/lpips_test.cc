#include "lib/scoring/lpips.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "formats/error.h"
#include "lib/weights/model_file.h"
#include "temp_folder.h"

namespace vq {
namespace {

using Shapes = std::vector<std::pair<std::string, std::vector<int64_t>>>;

// What lpips.LPIPS(net='alex') holds.
Shapes alex_shapes() {
  Shapes shapes = {{"scaling_layer.shift", {1, 3, 1, 1}}, {"scaling_layer.scale", {1, 3, 1, 1}}};
  const std::vector<std::pair<std::string, std::vector<int64_t>>> convolutions = {
      {"net.slice1.0", {64, 3, 11, 11}},
      {"net.slice2.3", {192, 64, 5, 5}},
      {"net.slice3.6", {384, 192, 3, 3}},
      {"net.slice4.8", {256, 384, 3, 3}},
      {"net.slice5.10", {256, 256, 3, 3}}};
  for (size_t i = 0; i < convolutions.size(); ++i) {
    const auto& [name, shape] = convolutions[i];
    shapes.push_back({name + ".weight", shape});
    shapes.push_back({name + ".bias", {shape[0]}});
    shapes.push_back({"lin" + std::to_string(i) + ".model.1.weight", {1, shape[0], 1, 1}});
    shapes.push_back({"lins." + std::to_string(i) + ".model.1.weight", {1, shape[0], 1, 1}});
  }
  return shapes;
}

// A closed formula for every number, which a few lines of Python repeat (below).
at::Tensor values(const std::string& name, const std::vector<int64_t>& shape) {
  if (name == "scaling_layer.shift") return at::tensor({-0.030f, -0.088f, -0.188f}).view(shape);
  if (name == "scaling_layer.scale") return at::tensor({0.458f, 0.448f, 0.450f}).view(shape);
  const at::Tensor wave =
      at::sin(at::arange(c10::multiply_integers(shape), at::kDouble) * 0.7 + 1).view(shape);
  if (name.starts_with("lin")) return (wave * 0.5 + 0.5).to(at::kFloat);
  if (name.ends_with("bias")) return (wave * 0.1).to(at::kFloat);
  const double fan_in = static_cast<double>(shape[1] * shape[2] * shape[3]);
  return (wave * std::sqrt(6.0 / fan_in)).to(at::kFloat);
}

std::string save(const TempFolder& folder, const Shapes& shapes) {
  std::vector<at::Tensor> kept;
  std::vector<TensorToWrite> list;
  for (const auto& [name, shape] : shapes) {
    kept.push_back(values(name, shape).contiguous());
    list.push_back({name,
                    DType::f32,
                    shape,
                    {static_cast<const uint8_t*>(kept.back().data_ptr()), kept.back().nbytes()}});
  }
  write_safetensors(folder / "lpips.safetensors", list, {}, true);
  return folder / "lpips.safetensors";
}

at::Tensor picture(int64_t factor, int64_t side = 40) {
  return (at::arange(side * side * 3).mul(factor).remainder(251))
      .to(at::kByte)
      .view({1, side, side, 3});
}

class LpipsTest : public ::testing::Test {
 protected:
  TempFolder folder_;
  Lpips load(const Shapes& shapes) const {
    return {TensorBook(save(folder_, shapes)), at::Device(at::kCPU)};
  }
};

TEST_F(LpipsTest, IsADistanceOfEachPair) {
  const Lpips lpips = load(alex_shapes());
  EXPECT_EQ(lpips.name(), "lpips alex");
  EXPECT_EQ(lpips.identity().size(), 64u);
  const at::Tensor a = at::cat({picture(7), picture(11), picture(3)});
  const at::Tensor b = at::cat({picture(7), picture(13), picture(5)});
  const at::Tensor there = lpips(a, b), back = lpips(b, a);
  EXPECT_EQ(there.sizes(), (at::IntArrayRef{3}));
  EXPECT_EQ(there[0].item<double>(), 0);
  EXPECT_GT(there[1].item<double>(), 0.01);
  EXPECT_TRUE(at::allclose(there, back, 1e-6, 1e-7));
  // A pair does not depend on the others.
  const at::Tensor alone = lpips(a.narrow(0, 1, 1), b.narrow(0, 1, 1));
  EXPECT_NEAR(there[1].item<double>(), alone[0].item<double>(), 1e-5);
}

TEST_F(LpipsTest, LoadsNothingLoosely) {
  const auto error = [&](const Shapes& shapes) {
    const std::string text = error_of([&] { load(shapes); });
    const size_t path = text.find(": ");
    return path == std::string::npos ? text : text.substr(path + 2);
  };
  Shapes shapes = alex_shapes();
  EXPECT_EQ(error(shapes), "no error");
  Shapes more = shapes;
  more.push_back({"net.slice6.1.weight", {1}});
  EXPECT_EQ(error(more), "holds tensor net.slice6.1.weight, which is not of LPIPS");
  Shapes fewer = shapes;
  std::erase_if(fewer, [](const auto& each) { return each.first == "lin3.model.1.weight"; });
  EXPECT_EQ(error(fewer), "tensor lin3.model.1.weight of LPIPS is missing");
  for (auto& [name, shape] : shapes) {
    if (name == "net.slice2.3.weight") shape = {192, 64, 3, 3};
  }
  EXPECT_EQ(
      error(shapes),
      "tensor net.slice2.3.weight has shape [192, 64, 3, 3], where [192, 64, 5, 5] is needed");
  EXPECT_EQ(error({{"features.0.weight", {64, 3, 11, 11}}}),
            "is not LPIPS with one of its networks (alex, vgg or squeeze)");
}

TEST_F(LpipsTest, RefusesPicturesThatItsLayersDoNotFit) {
  const Lpips lpips = load(alex_shapes());
  EXPECT_GT(lpips(picture(7, 32), picture(5, 32))[0].item<double>(), 0);
  EXPECT_EQ(error_of([&] { lpips(picture(7, 31), picture(5, 31)); }),
            "pictures of 31 x 31 are too small for lpips, which needs 32 x 32");
}

// lpips 0.1.4 in float64, with the numbers of values():
//   net = lpips.LPIPS(net='alex', pretrained=False, pnet_rand=True); net.load_state_dict(...)
//   net.double()(a / 127.5 - 1, b / 127.5 - 1)
TEST_F(LpipsTest, EqualsThePythonPackage) {
  const Lpips lpips = load(alex_shapes());
  EXPECT_NEAR(lpips(picture(7), picture(11))[0].item<double>(), 1.1530003909, 2e-5);
  EXPECT_NEAR(lpips(picture(7), picture(13))[0].item<double>(), 1.0939370252, 2e-5);
}

}  // namespace
}  // namespace vq
