#include "lib/weights/import_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "formats/bytes.h"
#include "formats/error.h"
#include "lib/weights/import_diffusers.h"

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

constexpr const char* kCommonSpace = "leads into CLIP's common space, which nothing here uses";

// `heads` 0: one for each 64 of the width, as in all of OpenAI's.
void set_heads(ClipTextConfig& c, int64_t heads, const std::string& where) {
  constexpr int64_t kHeadWidth = 64;
  c.heads = heads > 0 ? heads : std::max<int64_t>(1, c.width / kHeadWidth);
  if (c.width % c.heads == 0) return;
  throw Error(where, fmt::format("a text tower of width {} has no {} heads", c.width, c.heads),
              "--text-heads says how many");
}

// The configuration that lies beside weights under the names that transformers gives them.
std::string config_of(const std::string& weights) {
  const std::filesystem::path path(weights);
  const std::filesystem::path config = path.parent_path() / "config.json";
  const std::string name = path.filename();
  const bool theirs = name == "model.safetensors" || name == "pytorch_model.bin";
  return theirs && std::filesystem::exists(config) ? config.string() : "";
}

// A CLIPTextModel's configuration, or what a CLIPModel's says of its text tower.
Json text_config(const std::string& path) {
  constexpr uint64_t kMostJson = 16 << 20;
  Json json = parse_json(as_text(read_file(path, kMostJson)), path);
  if (json.is_object() && json.contains("text_config")) json = json["text_config"];
  if (!json.is_object()) throw Error(path, "is not the configuration of a text tower");
  return json;
}

// 0: there is no configuration.
int64_t said_heads(const Json& config, const std::string& where) {
  if (!config.is_object()) return 0;
  constexpr int64_t kStandard = 8;  // transformers' own
  const Json heads = config.value("num_attention_heads", Json(kStandard));
  if (heads.is_number_integer() && heads.get<int64_t>() > 0) return heads.get<int64_t>();
  throw Error(where, fmt::format("num_attention_heads is {}", dump_json(heads)));
}

// What else their tower may be.
void check_transformers_config(const Json& config, const std::string& where) {
  if (!config.is_object()) return;
  const Json activation = config.value("hidden_act", Json("quick_gelu"));
  if (activation != Json("quick_gelu"))
    throw Error(where, fmt::format("its hidden_act is {}, not quick_gelu", dump_json(activation)));
  const Json epsilon = config.value("layer_norm_eps", Json(1e-5));
  if (!epsilon.is_number() || epsilon.get<double>() != 1e-5)
    throw Error(where, "its layer_norm_eps is not 1e-5");
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
  c.precision = ClipPrecision::fp16;
  set_heads(c, heads, pool.path());
  return tower;
}

TextTower transformers_tower(SourcePool& pool, const Json& config, const std::string& where,
                             int64_t heads) {
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
  set_heads(c, heads > 0 ? heads : said_heads(config, where), where);
  check_transformers_config(config, where);
  pool.leave("*position_ids", "counts positions");
  pool.leave("text_projection*", kCommonSpace);
  return tower;
}

TextTower tower_in_file(Import& import, const std::string& path, int64_t heads) {
  const bool folder = std::filesystem::is_directory(path);
  SourcePool& pool =
      import.add(folder ? open_weights(path) : TensorSource::open(path), "text tower");
  const char* other = "not of the text tower";
  for (const char* pattern : {"visual.*", "vision_model.*", "visual_projection*", "logit_scale",
                              "input_resolution", "context_length", "vocab_size"})
    pool.leave(pattern, other);
  if (pool.has("positional_embedding")) {
    pool.leave("text_projection", kCommonSpace);
    return openai_tower(pool, "", heads);
  }
  if (!pool.has_prefix("text_model.embeddings.") && !pool.has_prefix("embeddings.token_embedding"))
    throw Error(path, "holds no text tower of CLIP");
  const std::string config = config_of(pool.path());
  if (config.empty()) return transformers_tower(pool, Json(), path, heads);
  const Json json = text_config(config);
  const int64_t said = said_heads(json, config);
  if (heads > 0 && heads != said) {
    throw Error::usage("--text-heads", fmt::format("is {}, and {} says {}", heads, config, said));
  }
  return transformers_tower(pool, json, config, heads);
}

}  // namespace vq
