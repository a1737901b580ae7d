#include "lib/scoring/script_network.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/api/module.h>

#include "temp_folder.h"

namespace vq {
namespace {

// A script whose features are the means of the colours, and one that fails.
std::string save(const TempFolder& folder, const std::string& body) {
  torch::jit::Module module("means");
  module.define("def forward(self, x):\n" + body);
  module.save(folder / "script.pt");
  return folder / "script.pt";
}

TEST(ScriptNetwork, RunsWhatTheFileSays) {
  const TempFolder folder;
  const std::string path = save(folder, "    return torch.mean(x, [2, 3])\n");
  const at::Tensor images = at::rand({3, 3, 8, 8}) * 2 - 1;
  const at::Tensor means = images.mean({2, 3});
  const auto with = [&](InputRange range) { return load_script(path, at::kCPU, range); };
  EXPECT_TRUE(at::allclose((*with(InputRange::signed_unit))(images), means, 1e-5, 1e-6));
  EXPECT_TRUE(at::allclose((*with(InputRange::unit))(images), (means + 1) / 2, 1e-5, 1e-6));
  EXPECT_TRUE(at::allclose((*with(InputRange::bytes))(images), (means + 1) * 127.5, 1e-5, 1e-3));
  EXPECT_EQ(with(InputRange::unit)->identity().size(), 64u);
  EXPECT_FALSE(with(InputRange::unit)->standard());
  // load_features finds out by itself what the file is.
  FeatureOptions options;
  options.range = InputRange::unit;
  EXPECT_TRUE(
      at::allclose((*load_features(path, at::kCPU, options))(images), (means + 1) / 2, 1e-5, 1e-6));
}

TEST(ScriptNetwork, TakesTheMeanOfMaps) {
  const TempFolder folder;
  const auto network =
      load_script(save(folder, "    return x * 2\n"), at::kCPU, InputRange::signed_unit);
  const at::Tensor images = at::rand({2, 3, 4, 4}) * 2 - 1;
  EXPECT_TRUE(at::allclose((*network)(images), images.mean({2, 3}) * 2, 1e-5, 1e-6));
}

TEST(ScriptNetwork, FailsInASentence) {
  const TempFolder folder;
  const at::Tensor images = at::zeros({2, 3, 4, 4});
  const auto error = [&](const std::string& body) {
    const std::string path = save(folder, body);
    return error_of([&] { (*load_script(path, at::kCPU, InputRange::unit))(images); },
                    folder.path());
  };
  const std::string failed = error("    return torch.mm(x, x)\n");
  EXPECT_EQ(failed.find("script.pt: the script failed: "), 0u) << failed;
  EXPECT_EQ(failed.find('\n'), std::string::npos) << failed;
  EXPECT_NE(error("    return x.sum()\n").find("gives no features"), std::string::npos);
  EXPECT_NE(error_of([&] {
              load_script(folder.write("x.pt", "hello"), at::kCPU, InputRange::unit);
            }).find("no TorchScript"),
            std::string::npos);
  EXPECT_NE(error_of([] { input_range_from_word("wide"); }).find("'wide'"), std::string::npos);
}

}  // namespace
}  // namespace vq
