#include "lib/weights/import_diffusers.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <numeric>
#include <span>

#include "formats/bytes.h"
#include "formats/error.h"
#include "lib/weights/diffusers_names.h"
#include "lib/weights/import_codec.h"
#include "lib/weights/import_model.h"

namespace vq {
namespace {

constexpr uint64_t kMostJson = 16 << 20;

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

// A member that ours has no choice about, and the one value that ours is. `needed`: an absent one
// means another value to the peer.
struct FixedMember {
  const char* name;
  const char* value;  // JSON
  bool needed = false;
};
constexpr FixedMember kCodecMembers[] = {{"act_fn", "\"silu\""},
                                         {"norm_type", "\"group\""},
                                         {"mid_block_add_attention", "true"},
                                         {"lookup_from_codebook", "false"},
                                         {"in_channels", "3"},
                                         {"out_channels", "3"}};
constexpr FixedMember kDenoiserMembers[] = {{"activation_fn", "\"geglu-approximate\"", true},
                                            {"attention_bias", "true", true},
                                            {"attention_type", "\"default\""},
                                            {"double_self_attention", "false"},
                                            {"only_cross_attention", "false"},
                                            {"norm_type", "\"ada_norm\""},
                                            {"norm_elementwise_affine", "true"},
                                            {"norm_eps", "1e-05"}};

// A component's configuration.
class ComponentConfig {
 public:
  explicit ComponentConfig(const std::string& path)
      : path_(path), json_(parse_json(as_text(read_file(path, kMostJson)), path)) {
    if (!json_.is_object()) throw Error(path_, "is not a JSON object");
  }

  const std::string& path() const { return path_; }
  const Json& json() const { return json_; }
  bool says(const char* member) const { return json_.contains(member) && !json_[member].is_null(); }
  int64_t number(const char* member) const {
    const Json value = says(member) ? json_[member] : Json();
    constexpr int64_t kMost = int64_t{1} << 31;
    if (!value.is_number_integer() || value.get<int64_t>() < 1 || value.get<int64_t>() > kMost)
      throw Error(path_, fmt::format("{} is {}, not a size", member, dump_json(value)));
    return value.get<int64_t>();
  }
  double real(const char* member) const {
    if (!says(member) || !json_[member].is_number())
      throw Error(path_, fmt::format("{} is not a number", member));
    return json_[member].get<double>();
  }
  std::string word(const char* member) const {
    return says(member) && json_[member].is_string() ? json_[member].get<std::string>() : "";
  }
  void must_be(std::span<const FixedMember> members) const {
    for (const FixedMember& member : members) {
      const Json wanted = parse_json(member.value, path_);
      if (!says(member.name) && !member.needed) continue;
      const Json value = json_.value(member.name, Json());
      if (value == wanted) continue;
      throw Error(path_, fmt::format("{} is {}; only {} is known here", member.name,
                                     dump_json(value), dump_json(wanted)));
    }
  }

 private:
  std::string path_;
  Json json_;
};

bool is_attention(const std::string& block) { return block.starts_with("Attn"); }

CodecConfig codec_config(const ComponentConfig& config) {
  config.must_be(kCodecMembers);
  CodecConfig c;
  c.patch = 1, c.linear = false, c.attention = true, c.middle_blocks = 2;
  std::vector<int64_t> widths;
  std::vector<std::string> down, up;
  try {
    widths = config.json().at("block_out_channels").get<std::vector<int64_t>>();
    down = config.json().at("down_block_types").get<std::vector<std::string>>();
    up = config.json().at("up_block_types").get<std::vector<std::string>>();
  } catch (const Json::exception&) {
    throw Error(config.path(),
                "does not list block_out_channels, down_block_types and "
                "up_block_types");
  }
  if (widths.empty() || down.size() != widths.size() || up.size() != widths.size() ||
      *std::min_element(widths.begin(), widths.end()) < 1)
    throw Error(config.path(), "its lists of blocks differ in length");
  for (size_t i = 0; i < widths.size(); ++i) {
    const bool lowest = i + 1 == widths.size();
    if (is_attention(down[i]) != lowest || is_attention(up[widths.size() - 1 - i]) != lowest) {
      throw Error(config.path(),
                  "has attention elsewhere than at the lowest resolution, which is "
                  "not known here");
    }
  }
  c.channels = 0;
  for (const int64_t width : widths) c.channels = std::gcd(c.channels, width);
  c.multipliers.clear();
  for (const int64_t width : widths) c.multipliers.push_back(width / c.channels);
  c.stem = widths.front() == c.channels ? 0 : widths.front();
  c.groups = config.number("norm_num_groups");
  c.encoder_blocks = config.number("layers_per_block");
  c.decoder_blocks = c.encoder_blocks + 1;
  c.latent = config.number("latent_channels");
  c.code_width = config.says("vq_embed_dim") ? config.number("vq_embed_dim") : c.latent;
  c.codes = config.number("num_vq_embeddings");
  return c;
}

// `grid` is the side of the token grid, 0 when there is no model to say so.
PlannedFile codec_of(Import& import, const std::string& folder, const ImportOptions& options,
                     int64_t grid) {
  const ComponentConfig config(folder + "/config.json");
  CodecConfig c = codec_config(config);
  constexpr int64_t kReleasedImageSize = 256;
  const int64_t f = c.factor();
  c.image_size = options.image_size > 0 ? options.image_size
                 : grid > 0             ? grid * f
                                        : std::max(f, kReleasedImageSize / f * f);
  c.check(config.path());
  SourcePool& pool = import.add(open_weights(folder), "vqvae");
  pool.rename(newer_attention_name);
  PlannedFile file;
  plan_codec(
      file, c,
      [&](const std::string& ours) {
        return their_names(diffusers_codec_names(), ours, c.levels());
      },
      pool);
  return file;
}

DenoiserConfig denoiser_config(const ComponentConfig& config, const SourcePool& pool) {
  config.must_be(kDenoiserMembers);
  if (!config.says("num_vector_embeds"))
    throw Error(config.path(), "is not a network over tokens: it has no num_vector_embeds");
  DenoiserConfig d;
  d.condition = ConditionKind::caption;
  d.layers = config.number("num_layers"), d.heads = config.number("num_attention_heads");
  d.width = d.heads * config.number("attention_head_dim");
  d.grid_height = d.grid_width = config.number("sample_size");
  d.codebook_size = config.number("num_vector_embeds") - 1;
  d.timesteps = config.number("num_embeds_ada_norm");
  // Before anything of these sizes is made.
  int64_t layers = 0;
  while (pool.has(fmt::format("transformer_blocks.{}.norm1.emb.weight", layers))) ++layers;
  if (layers != d.layers) {
    throw Error(config.path(),
                fmt::format("num_layers is {}, the weights have {}", d.layers, layers));
  }
  if (pool.size("latent_image_embedding.emb.weight", 1) != d.width) {
    throw Error(config.path(), fmt::format("{} heads of {} do not make the weights' width {}",
                                           d.heads, config.number("attention_head_dim"),
                                           pool.size("latent_image_embedding.emb.weight", 1)));
  }
  if (pool.size("transformer_blocks.0.norm1.emb.weight", 0) != d.timesteps ||
      pool.look("transformer_blocks.0.norm1.emb.weight").count() == 0) {
    throw Error(config.path(),
                fmt::format("num_embeds_ada_norm is {}, the weights have {}", d.timesteps,
                            pool.size("transformer_blocks.0.norm1.emb.weight", 0)));
  }
  d.mlp_times = pool.size("transformer_blocks.0.ff.net.0.proj.weight", 0) / d.width;
  return d;
}

ImportedSchedule schedule_of(const std::string& folder, const DenoiserConfig& d) {
  const ComponentConfig config(folder + "/scheduler_config.json");
  if (config.number("num_vec_classes") != d.codebook_size + 1)
    throw Error(config.path(), "num_vec_classes is not the transformer's num_vector_embeds");
  if (config.says("num_train_timesteps") && config.number("num_train_timesteps") != d.timesteps)
    throw Error(config.path(), "num_train_timesteps is not the transformer's num_embeds_ada_norm");
  const auto end = [&](const char* member, double standard) {
    return config.says(member) ? config.real(member) : standard;
  };
  return ImportedSchedule::ramps(d.timesteps, end("alpha_cum_start", 0.99999),
                                 end("alpha_cum_end", 0.000009), end("gamma_cum_start", 0.000009),
                                 end("gamma_cum_end", 0.99999));
}

// What "!" is depends on whether it is the padding token, whose id must be 0.
ClipTokenizerOptions tokenizer_options(const std::string& folder) {
  std::string padding;
  for (const char* name : {"/tokenizer_config.json", "/special_tokens_map.json"}) {
    if (!exists(folder + name) || !padding.empty()) continue;
    const ComponentConfig config(folder + name);
    const Json token = config.json().value("pad_token", Json());
    if (token.is_string()) padding = token.get<std::string>();
    if (token.is_object() && token.value("content", Json()).is_string())
      padding = token["content"].get<std::string>();
  }
  if (padding != "!") {
    throw Error(folder,
                fmt::format("pads with '{}'; only \"!\", the token 0, is known here", padding));
  }
  return {ClipTooLong::lose_end, ClipExclamation::padding};
}

void set_null(Import& import, const std::string& folder, const ImportOptions& options,
              ModelParts& parts) {
  ConditionConfig& condition = parts.config.condition;
  condition.null_kind = NullKind::empty;
  if (options.null == "mean")
    throw Error::usage("--null", "mean is for classes; captions have learned and empty");
  if (!exists(folder + "/config.json")) {
    import.notes.push_back(
        "there is no learned_classifier_free_sampling_embeddings: the null is the empty caption");
    return;
  }
  const ComponentConfig config(folder + "/config.json");
  SourcePool& pool =
      import.add(open_weights(folder), "learned_classifier_free_sampling_embeddings");
  const bool learnable = config.says("learnable") && config.json()["learnable"] == Json(true);
  if (options.null == "empty" || (options.null == "auto" && !learnable)) {
    pool.leave("embeddings", "the null is the empty caption");
    return;
  }
  condition.null_kind = NullKind::learned;
  parts.null_pool = &pool, parts.null_name = "embeddings";
}

PlannedFile model_of(Import& import, const std::string& folder, const ImportOptions& options) {
  const ComponentConfig config(folder + "/transformer/config.json");
  SourcePool& pool = import.add(open_weights(folder + "/transformer"), "transformer");
  ModelParts parts;
  parts.pool = &pool;
  parts.config.denoiser = denoiser_config(config, pool);
  parts.schedule = schedule_of(folder + "/scheduler", parts.config.denoiser);
  ConditionConfig& condition = parts.config.condition;
  condition.kind = ConditionKind::caption;
  condition.text_kind = TextKind::clip;
  const ComponentConfig text(folder + "/text_encoder/config.json");
  SourcePool& text_pool = import.add(open_weights(folder + "/text_encoder"), "text_encoder");
  parts.text = transformers_tower(text_pool, text.json(), text.path());
  condition.clip = parts.text.sizes;
  condition.clip_ids = tokenizer_options(folder + "/tokenizer");
  parts.tokenizer = ClipTokenizer::open(folder + "/tokenizer", condition.clip_ids);
  set_null(import, folder + "/learned_classifier_free_sampling_embeddings", options, parts);
  if (import.codec) parts.config.codec = planned_codec_identity(*import.codec);
  parts.config.suggested = {
      {"guidance", 5.0}, {"steps", parts.config.denoiser.timesteps}, {"top_p", 1.0}};
  for (const auto& [name, value] : options.suggested.items()) parts.config.suggested[name] = value;
  parts.denoiser = [](const std::string& ours) {
    return their_names(diffusers_denoiser_names(), ours);
  };
  return plan_model(parts);
}

}  // namespace

TensorSource open_weights(const std::string& folder) {
  for (const char* name : {"diffusion_pytorch_model.safetensors", "model.safetensors",
                           "diffusion_pytorch_model.bin", "pytorch_model.bin"}) {
    const std::string path = folder + "/" + name;
    if (exists(path)) return TensorSource::open(path);
  }
  throw Error(folder, "holds no weights (diffusion_pytorch_model or model, .safetensors or .bin)");
}

Import plan_diffusers(const std::string& folder, const ImportOptions& options) {
  Import import;
  if (!exists(folder + "/model_index.json")) {
    if (!exists(folder + "/config.json"))
      throw Error(folder, "is a folder without model_index.json or config.json",
                  "a pipeline's folder, a codec's folder, or a file of weights is wanted");
    const ComponentConfig config(folder + "/config.json");
    const std::string name = config.word("_class_name");
    if (name != "VQModel") {
      throw Error(config.path(),
                  fmt::format("is the configuration of {}, not of a VQModel",
                              name.empty() ? "something else" : "a " + name),
                  "a pipeline is the folder with model_index.json, above this one");
    }
    import.what = "a codec of diffusers";
    import.codec = codec_of(import, folder, options, 0);
    return import;
  }
  const ComponentConfig index(folder + "/model_index.json");
  const std::string name = index.word("_class_name");
  if (name != "VQDiffusionPipeline") {
    throw Error(index.path(), fmt::format("is of {}, not of a VQDiffusionPipeline",
                                          name.empty() ? "something else" : "a " + name));
  }
  import.what = "a VQ-Diffusion pipeline of diffusers";
  const ComponentConfig transformer(folder + "/transformer/config.json");
  import.codec = codec_of(import, folder + "/vqvae", options, transformer.number("sample_size"));
  const CodecConfig codec = CodecConfig::from_json(import.codec->config, folder);
  if (codec.codes + 1 != transformer.number("num_vector_embeds")) {
    throw Error(transformer.path(),
                fmt::format("has {} tokens with [mask], the codec {} codes",
                            transformer.number("num_vector_embeds"), codec.codes));
  }
  import.model = model_of(import, folder, options);
  return import;
}

}  // namespace vq
