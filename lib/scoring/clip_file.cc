#include "lib/scoring/clip_file.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>

#include "formats/bytes.h"
#include "formats/error.h"
#include "lib/weights/tensor_book.h"

namespace vq {
namespace {

constexpr int64_t kHeadWidth = 64;
constexpr const char* kNeeded =
    "CLIP's towers are in OpenAI's ViT-B-32.pt, or in model.safetensors of Hugging Face's "
    "openai/clip-vit-base-patch32";

// Takes tensors under OpenAI's names out of either layout, and notes them for the identity.
class ClipTensors {
 public:
  explicit ClipTensors(const std::string& path)
      : book_(path), hugging_(book_.contains("vision_model.embeddings.class_embedding")) {
    if (!hugging_ && !book_.contains("visual.class_embedding")) {
      throw Error(path, "holds no image tower of CLIP", kNeeded);
    }
  }

  const std::string& path() const { return book_.path(); }

  // A tensor that has one name in either layout.
  at::Tensor get(const std::string& openai, const std::string& hugging) {
    return note(openai, book_.take(hugging_ ? hugging : openai));
  }
  at::Tensor get_transposed(const std::string& openai, const std::string& hugging) {
    if (!hugging_) return get(openai, "");
    return note(openai, book_.take(hugging).t().contiguous());
  }
  // weight or bias of query, key and value, one after the other.
  at::Tensor get_qkv(const std::string& openai, const std::string& hugging, const char* part) {
    const std::string name = openai + ".attn.in_proj_" + part;
    if (!hugging_) return get(name, "");
    std::vector<at::Tensor> parts;
    for (const char* which : {"q", "k", "v"}) {
      parts.push_back(book_.take(fmt::format("{}.self_attn.{}_proj.{}", hugging, which, part)));
    }
    return note(name, at::cat(parts));
  }
  int64_t layers(const std::string& openai, const std::string& hugging) const {
    int64_t count = 0;
    while (book_.contains(hugging_ ? fmt::format("{}.{}.layer_norm1.weight", hugging, count)
                                   : fmt::format("{}.{}.ln_1.weight", openai, count))) {
      ++count;
    }
    return count;
  }
  std::string identity() const { return sha256(as_bytes(all_)); }

 private:
  at::Tensor note(const std::string& name, at::Tensor tensor) {
    const auto* data = static_cast<const uint8_t*>(tensor.data_ptr());
    all_ += name + " " + sha256({data, tensor.nbytes()}) + "\n";
    return tensor;
  }

  TensorBook book_;
  bool hugging_;
  std::string all_;
};

ClipImageLayer read_layer(ClipTensors& from, const std::string& o, const std::string& h) {
  ClipImageLayer layer;
  const auto pair = [&](at::Tensor& weight, at::Tensor& bias, const char* openai,
                        const char* hugging) {
    weight = from.get(o + openai + ".weight", h + hugging + ".weight");
    bias = from.get(o + openai + ".bias", h + hugging + ".bias");
  };
  pair(layer.norm_1_weight, layer.norm_1_bias, ".ln_1", ".layer_norm1");
  layer.qkv_weight = from.get_qkv(o, h, "weight");
  layer.qkv_bias = from.get_qkv(o, h, "bias");
  pair(layer.out_weight, layer.out_bias, ".attn.out_proj", ".self_attn.out_proj");
  pair(layer.norm_2_weight, layer.norm_2_bias, ".ln_2", ".layer_norm2");
  pair(layer.in_weight, layer.in_bias, ".mlp.c_fc", ".mlp.fc1");
  pair(layer.back_weight, layer.back_bias, ".mlp.c_proj", ".mlp.fc2");
  return layer;
}

ClipImage read_image_tower(ClipTensors& from) {
  const std::string v = "vision_model.";
  ClipImage tower;
  tower.class_row = from.get("visual.class_embedding", v + "embeddings.class_embedding");
  tower.patches = from.get("visual.conv1.weight", v + "embeddings.patch_embedding.weight");
  tower.positions =
      from.get("visual.positional_embedding", v + "embeddings.position_embedding.weight");
  tower.before_weight = from.get("visual.ln_pre.weight", v + "pre_layrnorm.weight");
  tower.before_bias = from.get("visual.ln_pre.bias", v + "pre_layrnorm.bias");
  const std::string o = "visual.transformer.resblocks", h = v + "encoder.layers";
  const int64_t layers = from.layers(o, h);
  for (int64_t i = 0; i < layers; ++i) {
    tower.layers.push_back(
        read_layer(from, fmt::format("{}.{}", o, i), fmt::format("{}.{}", h, i)));
  }
  tower.after_weight = from.get("visual.ln_post.weight", v + "post_layernorm.weight");
  tower.after_bias = from.get("visual.ln_post.bias", v + "post_layernorm.bias");
  tower.projection = from.get_transposed("visual.proj", "visual_projection.weight");
  tower.heads = std::max<int64_t>(1, tower.class_row.size(0) / kHeadWidth);
  return tower;
}

void copy(Parameters& parameters, const std::string& name, const at::Tensor& value,
          const std::string& path) {
  at::Tensor to = parameters.get(name);
  if (to.sizes() != value.sizes()) {
    throw Error(path, "the text tower's tensor for " + name + " has a shape that does not fit");
  }
  to.copy_(value);
}

ClipText read_text_tower(ClipTensors& from, Parameters& parameters, int64_t& length) {
  const at::NoGradGuard no_grad;
  const std::string o = "transformer.resblocks", h = "text_model.encoder.layers";
  const at::Tensor token =
      from.get("token_embedding.weight", "text_model.embeddings.token_embedding.weight");
  const at::Tensor position =
      from.get("positional_embedding", "text_model.embeddings.position_embedding.weight");
  std::vector<ClipImageLayer> layers;
  const int64_t count = from.layers(o, h);
  for (int64_t i = 0; i < count; ++i) {
    layers.push_back(read_layer(from, fmt::format("{}.{}", o, i), fmt::format("{}.{}", h, i)));
  }
  if (layers.empty()) throw Error(from.path(), "holds no text tower of CLIP", kNeeded);
  ClipTextConfig config;
  config.layers = count;
  config.width = token.size(1);
  config.heads = std::max<int64_t>(1, config.width / kHeadWidth);
  config.inner = layers.front().in_weight.size(0);
  config.vocabulary = token.size(0);
  config.length = length = position.size(0);
  ClipText tower(parameters, "text", config);
  const auto put = [&](const std::string& name, const at::Tensor& value) {
    copy(parameters, name, value, from.path());
  };
  put("text.embedding.token.weight", token);
  put("text.embedding.position.weight", position);
  for (int64_t i = 0; i < count; ++i) {
    const ClipImageLayer& l = layers[static_cast<size_t>(i)];
    const std::string name = fmt::format("text.layers.{}", i);
    put(name + ".norm_self.weight", l.norm_1_weight), put(name + ".norm_self.bias", l.norm_1_bias);
    put(name + ".norm_mlp.weight", l.norm_2_weight), put(name + ".norm_mlp.bias", l.norm_2_bias);
    put(name + ".self.qkv.weight", l.qkv_weight), put(name + ".self.qkv.bias", l.qkv_bias);
    put(name + ".self.out.weight", l.out_weight), put(name + ".self.out.bias", l.out_bias);
    put(name + ".mlp.in.weight", l.in_weight), put(name + ".mlp.in.bias", l.in_bias);
    put(name + ".mlp.out.weight", l.back_weight), put(name + ".mlp.out.bias", l.back_bias);
  }
  put("text.norm.weight", from.get("ln_final.weight", "text_model.final_layer_norm.weight"));
  put("text.norm.bias", from.get("ln_final.bias", "text_model.final_layer_norm.bias"));
  return tower;
}

}  // namespace

Clip::Clip(const std::string& path, const std::string& merges, at::Device device)
    : tokenizer_(ClipTokenizer::open(merges)) {
  ClipTensors from(path);
  image_ = read_image_tower(from);
  text_ = read_text_tower(from, parameters_, length_);
  text_projection_ = from.get_transposed("text_projection", "text_projection.weight").to(device);
  identity_ = from.identity();
  const int64_t vocabulary = parameters_.get("text.embedding.token.weight").size(0);
  if (tokenizer_.size() != vocabulary) {
    throw Error(merges, fmt::format("makes a vocabulary of {}, and the text tower knows {}",
                                    tokenizer_.size(), vocabulary));
  }
  image_.to(device);
  parameters_.to(device, at::kFloat);
}

at::Tensor Clip::text_vectors(const std::vector<std::string>& captions) const {
  const at::NoGradGuard no_grad;
  std::vector<int64_t> all, ends;
  for (const std::string& caption : captions) {
    const std::vector<int64_t> ids = tokenizer_.ids(caption, static_cast<int>(length_));
    const auto end = std::find(ids.begin(), ids.end(), tokenizer_.end());
    ends.push_back(std::min<int64_t>(end - ids.begin(), length_ - 1));
    all.insert(all.end(), ids.begin(), ids.end());
  }
  const auto count = static_cast<int64_t>(captions.size());
  const at::Tensor hidden = text_.hidden(at::tensor(all, at::kLong).view({count, length_}));
  const at::Tensor rows = at::arange(count, hidden.options().dtype(at::kLong));
  const at::Tensor last = hidden.index({rows, at::tensor(ends, at::kLong).to(hidden.device())});
  const at::Tensor y = last.mm(text_projection_);
  return y / at::linalg_vector_norm(y, 2, at::IntArrayRef{-1}, true);
}

}  // namespace vq
