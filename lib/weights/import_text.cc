#include "lib/weights/import_text.h"

#include <fmt/format.h>

#include "formats/error.h"

namespace vq {
namespace {

const std::string kOurs = "condition.text.";

// Both spellings share the shape of the list.
NameMap text_names(const std::string& token, const std::string& position, const std::string& norm,
                   const std::string& layer, const std::vector<const char*>& parts) {
  NameMap map = {{kOurs + "embedding.token.weight", {token}},
                 {kOurs + "embedding.position.weight", {position}},
                 {kOurs + "norm.*", {norm + ".*"}}};
  constexpr const char* kParts[] = {"norm_self", "norm_mlp", "self.out", "mlp.in", "mlp.out"};
  for (size_t i = 0; i < parts.size(); ++i)
    map.push_back({kOurs + "layers.#." + kParts[i] + ".*", {layer + parts[i] + ".*"}});
  return map;
}

int64_t count_layers(const SourcePool& pool, const std::string& before, const std::string& after) {
  int64_t n = 0;
  while (pool.has(before + std::to_string(n) + after)) ++n;
  return n;
}

}  // namespace

NameMap openai_text_names(const std::string& prefix) {
  const std::string layer = prefix + "transformer.resblocks.#.";
  NameMap map = text_names(prefix + "token_embedding.weight", prefix + "positional_embedding",
                           prefix + "ln_final", layer,
                           {"ln_1", "ln_2", "attn.out_proj", "mlp.c_fc", "mlp.c_proj"});
  map.push_back({kOurs + "layers.#.self.qkv.weight", {layer + "attn.in_proj_weight"}});
  map.push_back({kOurs + "layers.#.self.qkv.bias", {layer + "attn.in_proj_bias"}});
  return map;
}

NameMap transformers_text_names(const std::string& prefix) {
  const std::string layer = prefix + "encoder.layers.#.";
  NameMap map =
      text_names(prefix + "embeddings.token_embedding.weight",
                 prefix + "embeddings.position_embedding.weight", prefix + "final_layer_norm",
                 layer, {"layer_norm1", "layer_norm2", "self_attn.out_proj", "mlp.fc1", "mlp.fc2"});
  const std::string attention = layer + "self_attn.";
  map.push_back({kOurs + "layers.#.self.qkv.*",
                 {attention + "q_proj.*", attention + "k_proj.*", attention + "v_proj.*"}});
  return map;
}

TextTower openai_tower(SourcePool& pool, const std::string& prefix, int64_t heads) {
  TextTower tower;
  tower.pool = &pool;
  tower.names = openai_text_names(prefix);
  ClipTextConfig& c = tower.sizes;
  const std::string layer = prefix + "transformer.resblocks.";
  c.vocabulary = pool.size(prefix + "token_embedding.weight", 0);
  c.width = pool.size(prefix + "token_embedding.weight", 1);
  c.length = pool.size(prefix + "positional_embedding", 0);
  c.layers = count_layers(pool, layer, ".ln_1.weight");
  c.inner = pool.size(layer + "0.mlp.c_fc.weight", 0);
  c.heads = heads > 0 ? heads : c.width / 64;
  c.precision = ClipPrecision::fp16;
  if (c.heads < 1 || c.width % c.heads != 0) {
    throw Error(pool.path(),
                fmt::format("a text tower of width {} has no {} heads", c.width, c.heads),
                "--text-heads says how many");
  }
  return tower;
}

TextTower transformers_tower(SourcePool& pool, const Json& config, const std::string& where) {
  const bool nested = pool.has("text_model.embeddings.token_embedding.weight");
  const std::string prefix = nested ? "text_model." : "";
  TextTower tower;
  tower.pool = &pool;
  tower.names = transformers_text_names(prefix);
  ClipTextConfig& c = tower.sizes;
  c.vocabulary = pool.size(prefix + "embeddings.token_embedding.weight", 0);
  c.width = pool.size(prefix + "embeddings.token_embedding.weight", 1);
  c.length = pool.size(prefix + "embeddings.position_embedding.weight", 0);
  c.layers = count_layers(pool, prefix + "encoder.layers.", ".layer_norm1.weight");
  c.inner = pool.size(prefix + "encoder.layers.0.mlp.fc1.weight", 0);
  c.precision = ClipPrecision::fp32;
  try {
    c.heads = config.value("num_attention_heads", int64_t{8});
    const std::string activation = config.value("hidden_act", "quick_gelu");
    if (activation != "quick_gelu")
      throw Error(where, "its hidden_act is " + activation + ", not quick_gelu");
    if (config.value("layer_norm_eps", 1e-5) != 1e-5)
      throw Error(where, "its layer_norm_eps is not 1e-5");
  } catch (const Json::exception&) {
    throw Error(where, "is not the configuration of a text tower");
  }
  if (c.heads < 1 || c.width % c.heads != 0)
    throw Error(where, fmt::format("a width of {} has no {} heads", c.width, c.heads));
  pool.leave("*position_ids", "counts positions");
  pool.leave("text_projection*", "leads into CLIP's common space, which nothing here uses");
  return tower;
}

TextTower tower_in_file(Import& import, const std::string& path, int64_t heads) {
  SourcePool& pool = import.add(TensorSource::open(path), "text tower");
  const char* other = "not of the text tower";
  for (const char* pattern : {"visual.*", "vision_model.*", "visual_projection*", "logit_scale",
                              "input_resolution", "context_length", "vocab_size"})
    pool.leave(pattern, other);
  if (pool.has("positional_embedding")) {
    pool.leave("text_projection", "leads into CLIP's common space, which nothing here uses");
    return openai_tower(pool, "", heads);
  }
  if (pool.has_prefix("text_model.embeddings.") || pool.has_prefix("embeddings.token_embedding")) {
    Json config = Json::object();
    if (heads > 0) config["num_attention_heads"] = heads;
    return transformers_tower(pool, config, path);
  }
  throw Error(path, "holds no text tower of CLIP");
}

}  // namespace vq
