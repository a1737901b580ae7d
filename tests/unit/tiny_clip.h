// A CLIP of two layers and random weights in both layouts, and merges for its tokenizer.
#pragma once

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <map>
#include <string>
#include <vector>

#include "formats/safetensors.h"
#include "temp_folder.h"

namespace vq {

struct TinyClip {
  static constexpr int64_t kImage = 128, kText = 64, kSize = 64, kOut = 16, kLength = 12;
  static constexpr int64_t kVocabulary = 512 + 2 + 2;
  std::map<std::string, at::Tensor> openai, hugging;

  explicit TinyClip(uint64_t seed = 3)
      : generator_(at::make_generator<at::CPUGeneratorImpl>(seed)) {
    const std::string v = "vision_model.", t = "text_model.";
    both("visual.class_embedding", v + "embeddings.class_embedding", {kImage});
    both("visual.conv1.weight", v + "embeddings.patch_embedding.weight", {kImage, 3, 32, 32});
    both("visual.positional_embedding", v + "embeddings.position_embedding.weight", {5, kImage});
    norm("visual.ln_pre", v + "pre_layrnorm", kImage);
    norm("visual.ln_post", v + "post_layernorm", kImage);
    projection("visual.proj", "visual_projection.weight", kImage);
    both("token_embedding.weight", t + "embeddings.token_embedding.weight", {kVocabulary, kText});
    both("positional_embedding", t + "embeddings.position_embedding.weight", {kLength, kText});
    norm("ln_final", t + "final_layer_norm", kText);
    projection("text_projection", "text_projection.weight", kText);
    for (const char* n : {"0", "1"}) {
      layer(std::string("visual.transformer.resblocks.") + n, v + "encoder.layers." + n, kImage);
      layer(std::string("transformer.resblocks.") + n, t + "encoder.layers." + n, kText);
    }
    openai["logit_scale"] = hugging["logit_scale"] = at::ones({1});
  }

  static std::string save(const TempFolder& folder, const std::string& name,
                          const std::map<std::string, at::Tensor>& tensors) {
    std::vector<TensorToWrite> list;
    for (const auto& [key, tensor] : tensors) {
      list.push_back({key,
                      DType::f32,
                      tensor.sizes().vec(),
                      {static_cast<const uint8_t*>(tensor.data_ptr()), tensor.nbytes()}});
    }
    write_safetensors(folder / name, list, {}, true);
    return folder / name;
  }
  static std::string save_merges(const TempFolder& folder) {
    return folder.write("merges.txt", "#version: 0.2\nr e\nre d</w>\n");
  }

 private:
  at::Tensor normal(at::IntArrayRef shape) {
    return at::randn(shape, generator_, at::TensorOptions(at::kFloat)) * 0.1;
  }
  at::Tensor both(const std::string& o, const std::string& h, at::IntArrayRef shape) {
    return openai[o] = hugging[h] = normal(shape);
  }
  void norm(const std::string& o, const std::string& h, int64_t width) {
    openai[o + ".weight"] = hugging[h + ".weight"] = normal({width}) + 1;
    both(o + ".bias", h + ".bias", {width});
  }
  void projection(const std::string& o, const std::string& h, int64_t width) {
    openai[o] = normal({width, kOut});
    hugging[h] = openai[o].t().contiguous();
  }
  void linear(const std::string& o, const std::string& h, int64_t in, int64_t out) {
    both(o + ".weight", h + ".weight", {out, in});
    both(o + ".bias", h + ".bias", {out});
  }
  void layer(const std::string& o, const std::string& h, int64_t width) {
    norm(o + ".ln_1", h + ".layer_norm1", width);
    norm(o + ".ln_2", h + ".layer_norm2", width);
    linear(o + ".attn.out_proj", h + ".self_attn.out_proj", width, width);
    linear(o + ".mlp.c_fc", h + ".mlp.fc1", width, 2 * width);
    linear(o + ".mlp.c_proj", h + ".mlp.fc2", 2 * width, width);
    for (const char* part : {"weight", "bias"}) {
      const bool weight = std::string(part) == "weight";
      std::vector<at::Tensor> parts;
      for (const char* which : {"q", "k", "v"}) {
        const std::string name = h + ".self_attn." + which + "_proj." + part;
        parts.push_back(hugging[name] = weight ? normal({width, width}) : normal({width}));
      }
      openai[o + ".attn.in_proj_" + part] = at::cat(parts);
    }
  }
  at::Generator generator_;
};

}  // namespace vq
