#include "lib/scoring/clip_file.h"

#include <gtest/gtest.h>

#include "tiny_clip.h"

namespace vq {
namespace {

TEST(Clip, BothLayoutsAreTheSameNetwork) {
  const TempFolder folder;
  const TinyClip tiny;
  const std::string merges = TinyClip::save_merges(folder);
  const Clip one(TinyClip::save(folder, "openai.safetensors", tiny.openai), merges, at::kCPU);
  const Clip two(TinyClip::save(folder, "hugging.safetensors", tiny.hugging), merges, at::kCPU);
  EXPECT_EQ(one.identity(), two.identity());
  EXPECT_EQ(one.size(), TinyClip::kSize);
  const at::Tensor x = at::randn({3, 3, TinyClip::kSize, TinyClip::kSize});
  EXPECT_TRUE(at::equal(one.image_vectors(x), two.image_vectors(x)));
  const std::vector<std::string> captions = {"red", "a red bird", ""};
  const at::Tensor text = one.text_vectors(captions);
  EXPECT_TRUE(at::equal(text, two.text_vectors(captions)));
  ASSERT_EQ(text.sizes(), (at::IntArrayRef{3, TinyClip::kOut}));
  EXPECT_TRUE(at::allclose(text.pow(2).sum(1), at::ones({3})));
  EXPECT_FALSE(at::allclose(text[0], text[1]));
}

TEST(Clip, ATextIsTheVectorAtItsEnd) {
  const TempFolder folder;
  const TinyClip tiny;
  const Clip clip(TinyClip::save(folder, "c.safetensors", tiny.openai),
                  TinyClip::save_merges(folder), at::kCPU);
  // What stands behind the end is not heard: captions in a batch do not depend on each other.
  const at::Tensor together = clip.text_vectors({"red", "a bird in a tree that is so very long"});
  EXPECT_TRUE(at::allclose(together[0], clip.text_vectors({"red"})[0], 1e-4, 1e-5));
}

TEST(Clip, NamesWhatIsMissing) {
  const TempFolder folder;
  const TinyClip tiny;
  const std::string merges = TinyClip::save_merges(folder);
  const auto error = [&](const std::map<std::string, at::Tensor>& tensors) {
    const std::string path = TinyClip::save(folder, "c.safetensors", tensors);
    return error_of([&] { Clip(path, merges, at::kCPU); }, folder.path());
  };
  auto fewer = tiny.openai;
  fewer.erase("visual.transformer.resblocks.1.mlp.c_fc.bias");
  EXPECT_NE(error(fewer).find("resblocks.1.mlp.c_fc.bias is missing"), std::string::npos);
  EXPECT_NE(error({{"conv.weight", at::zeros({1})}}).find("no image tower"), std::string::npos);
  auto others = tiny.openai;
  others["token_embedding.weight"] = at::zeros({600, TinyClip::kText});
  EXPECT_NE(error(others).find("knows 600"), std::string::npos);
}

}  // namespace
}  // namespace vq
