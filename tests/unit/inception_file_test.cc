#include "lib/scoring/inception_file.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "lib/weights/model_file.h"
#include "temp_folder.h"

namespace vq {
namespace {

// All tensors of the network, zeros but for a few, as pytorch-fid's file names them.
std::vector<NamedTensor> all_tensors() {
  std::vector<NamedTensor> tensors;
  const Inception network([&](const std::string& name, at::IntArrayRef shape) {
    tensors.push_back({name, at::zeros(shape)});
    return tensors.back().tensor;
  });
  return tensors;
}

std::string save(const TempFolder& folder, const std::vector<NamedTensor>& tensors) {
  std::vector<TensorToWrite> list;
  for (const NamedTensor& named : tensors) {
    list.push_back({named.name,
                    DType::f32,
                    named.tensor.sizes().vec(),
                    {static_cast<const uint8_t*>(named.tensor.data_ptr()), named.tensor.nbytes()}});
  }
  write_safetensors(folder / "inception.safetensors", list, {}, true);
  return folder / "inception.safetensors";
}

TEST(ScriptName, FollowsNvidiasModules) {
  EXPECT_EQ(script_name("Conv2d_1a_3x3.conv.weight"), "layers.conv.weight");
  EXPECT_EQ(script_name("Conv2d_4a_3x3.bn.running_var"), "layers.conv_4.var");
  EXPECT_EQ(script_name("Mixed_5b.branch5x5_2.conv.weight"), "layers.mixed.tower.conv_1.weight");
  EXPECT_EQ(script_name("Mixed_6a.branch3x3dbl_3.bn.bias"), "layers.mixed_3.tower.conv_2.beta");
  EXPECT_EQ(script_name("Mixed_6e.branch_pool.bn.running_mean"),
            "layers.mixed_7.tower_2.conv.mean");
  EXPECT_EQ(script_name("Mixed_7a.branch7x7x3_4.conv.weight"),
            "layers.mixed_8.tower_1.conv_3.weight");
  EXPECT_EQ(script_name("Mixed_7c.branch3x3dbl_3b.conv.weight"),
            "layers.mixed_10.tower_1.mixed.conv_1.weight");
  EXPECT_EQ(script_name("fc.weight"), "output.weight");
  EXPECT_EQ(script_name("Mixed_5b.branch1x1.bn.weight"), "");
}

TEST(LoadInception, ReadsSafetensorsAndItsIdentityIsOfTheNumbers) {
  const TempFolder folder;
  std::vector<NamedTensor> tensors = all_tensors();
  const InceptionFile first = load_inception(TensorBook(save(folder, tensors)));
  EXPECT_EQ(first.identity.size(), 64u);
  const at::Tensor x = at::zeros({1, 3, 107, 107});
  EXPECT_EQ(first.network->features(x).sizes(), (at::IntArrayRef{1, 2048}));
  // The order in the file is no matter, nor are counters that training leaves behind.
  std::reverse(tensors.begin(), tensors.end());
  tensors.push_back({"Mixed_5b.branch1x1.bn.num_batches_tracked", at::zeros({})});
  EXPECT_EQ(load_inception(TensorBook(save(folder, tensors))).identity, first.identity);
  tensors.front().tensor.add_(1);
  EXPECT_NE(load_inception(TensorBook(save(folder, tensors))).identity, first.identity);
}

TEST(LoadInception, NamesWhatDoesNotFit) {
  const TempFolder folder;
  const std::vector<NamedTensor> tensors = all_tensors();
  const auto error = [&](std::vector<NamedTensor> changed) {
    const std::string path = save(folder, changed);
    return error_of([&] { load_inception(TensorBook(path)); }, folder.path());
  };
  std::vector<NamedTensor> fewer = tensors;
  fewer.erase(fewer.begin() + 7);
  EXPECT_NE(error(fewer).find(tensors[7].name + " of Inception v3 is missing"), std::string::npos);
  std::vector<NamedTensor> others = tensors;
  for (NamedTensor& named : others) {
    if (named.name == "fc.weight") named.tensor = at::zeros({1000, 2048});  // torchvision's
  }
  EXPECT_NE(error(others).find("[1000, 2048]"), std::string::npos);
  std::vector<NamedTensor> more = tensors;
  more.push_back({"AuxLogits.fc.weight", at::zeros({2})});
  EXPECT_NE(error(more).find("AuxLogits.fc.weight"), std::string::npos);
}

TEST(IsInception, TellsLayoutsFromOtherNetworks) {
  EXPECT_TRUE(is_inception({"a", "Conv2d_1a_3x3.conv.weight"}));
  EXPECT_TRUE(is_inception({"layers.mixed_10.tower_1_mixed_conv_1.weight"}));
  EXPECT_FALSE(is_inception({"conv1.weight"}));
}

}  // namespace
}  // namespace vq
