#include "lib/weights/import_text.h"

#include <gtest/gtest.h>

#include "lib/condition/clip_text.h"
#include "lib/weights/import_plan.h"
#include "tiny_clip.h"

namespace vq {
namespace {

struct Towers {
  // The file becomes our tensors: all of them, and nothing else is left to say.
  std::map<std::string, at::Tensor> tensors(const std::string& path, int64_t heads = 0) {
    Import import;
    const TextTower tower = tower_in_file(import, path, heads);
    sizes = tower.sizes;
    Parameters parameters(0, Fill::shapes);
    const ClipText text(parameters, "condition.text", tower.sizes);
    PlannedFile file;
    const auto missing = plan_parameters(
        file, parameters, [&](const std::string& ours) { return their_names(tower.names, ours); },
        *tower.pool);
    EXPECT_TRUE(missing.empty());
    EXPECT_TRUE(tower.pool->unused().empty());
    std::map<std::string, at::Tensor> all;
    for (const PlannedTensor& tensor : file.tensors)
      all[tensor.layout.name] = planned_tensor(file, tensor.layout.name);
    return all;
  }
  std::string refusal(const std::string& path, int64_t heads = 0) {
    return error_of([&] { tensors(path, heads); }, folder.path());
  }
  std::string save(const std::string& name, const std::map<std::string, at::Tensor>& tensors) {
    std::filesystem::create_directories(std::filesystem::path(folder / name).parent_path());
    return TinyClip::save(folder, name, tensors);
  }

  TempFolder folder;
  TinyClip tiny;
  ClipTextConfig sizes;
};

void expect_equal(const std::map<std::string, at::Tensor>& a,
                  const std::map<std::string, at::Tensor>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (const auto& [name, tensor] : a) {
    ASSERT_TRUE(b.contains(name)) << name;
    EXPECT_TRUE(at::equal(tensor, b.at(name))) << name;
  }
}

TEST(ImportText, BothLayoutsAreTheSameTower) {
  Towers t;
  const auto one = t.tensors(t.save("openai.safetensors", t.tiny.openai));
  EXPECT_EQ(t.sizes.precision, ClipPrecision::fp16);
  EXPECT_EQ(t.sizes.heads, 1);  // a 64th of the width
  EXPECT_EQ(t.sizes.layers, 2);
  EXPECT_EQ(t.sizes.length, TinyClip::kLength);
  EXPECT_EQ(t.sizes.vocabulary, TinyClip::kVocabulary);
  EXPECT_TRUE(at::equal(one.at("condition.text.embedding.position.weight"),
                        t.tiny.openai.at("positional_embedding")));
  expect_equal(one, t.tensors(t.save("hugging.safetensors", t.tiny.hugging)));
  EXPECT_EQ(t.sizes.precision, ClipPrecision::fp32);
  EXPECT_EQ(t.sizes.heads, 1);

  std::map<std::string, at::Tensor> bare;  // later versions of transformers have no prefix
  for (const auto& [name, tensor] : t.tiny.hugging) {
    if (name.starts_with("text_model.")) bare[name.substr(11)] = tensor;
  }
  expect_equal(one, t.tensors(t.save("bare.safetensors", bare)));
}

TEST(ImportText, HeadsAreSaidOrAreA64thOfTheWidth) {
  Towers t;
  const std::string lone = t.save("lone.safetensors", t.tiny.hugging);
  t.tensors(lone, 4);
  EXPECT_EQ(t.sizes.heads, 4);
  EXPECT_EQ(t.refusal(lone, 5), "lone.safetensors: a text tower of width 64 has no 5 heads");

  // In a folder of transformers its configuration says; of a CLIPModel the part about text.
  const std::string file = t.save("clip/model.safetensors", t.tiny.hugging);
  for (const char* config :
       {R"({"num_attention_heads": 2})",
        R"({"num_attention_heads": 9, "text_config": {"num_attention_heads": 2}})"}) {
    t.folder.write("clip/config.json", config);
    for (const std::string& path : {t.folder / "clip", file}) {
      t.tensors(path);
      EXPECT_EQ(t.sizes.heads, 2);
      EXPECT_EQ(t.refusal(path, 4), "--text-heads: is 4, and clip/config.json says 2");
      t.tensors(path, 2);
    }
  }
  t.folder.write("clip/config.json", R"({"text_config": {}})");
  t.tensors(file);
  EXPECT_EQ(t.sizes.heads, 8);  // what transformers takes then
  // A file of another name is not of that folder's making.
  t.tensors(t.save("clip/lone.safetensors", t.tiny.hugging));
  EXPECT_EQ(t.sizes.heads, 1);
}

TEST(ImportText, AnotherTowerIsRefused) {
  Towers t;
  t.save("clip/model.safetensors", t.tiny.hugging);
  const auto with = [&](const char* config) {
    t.folder.write("clip/config.json", config);
    return t.refusal(t.folder / "clip");
  };
  EXPECT_EQ(with(R"({"text_config": {"hidden_act": "gelu"}})"),
            "clip/config.json: its hidden_act is \"gelu\", not quick_gelu");
  EXPECT_EQ(with(R"({"layer_norm_eps": 1e-6})"),
            "clip/config.json: its layer_norm_eps is not 1e-5");
  EXPECT_EQ(with(R"({"num_attention_heads": "many"})"),
            "clip/config.json: num_attention_heads is \"many\"");
  EXPECT_EQ(with("[]"), "clip/config.json: is not the configuration of a text tower");
  EXPECT_EQ(with(R"({"text_config": 3})"),
            "clip/config.json: is not the configuration of a text tower");
  EXPECT_EQ(t.refusal(t.save("none.safetensors", {{"conv.weight", at::zeros({1})}})),
            "none.safetensors: holds no text tower of CLIP");
  std::filesystem::create_directory(t.folder / "empty");
  EXPECT_NE(t.refusal(t.folder / "empty").find("empty: holds no weights"), std::string::npos);
  auto narrow = t.tiny.openai;
  narrow.erase("ln_final.bias");
  EXPECT_NE(t.refusal(t.save("narrow.safetensors", narrow)).find("ln_final.bias"),
            std::string::npos);
}

}  // namespace
}  // namespace vq
