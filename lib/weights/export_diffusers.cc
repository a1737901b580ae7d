#include "lib/weights/export_diffusers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "formats/error.h"
#include "lib/codec/config.h"
#include "lib/diffusion/model.h"
#include "lib/weights/diffusers_names.h"
#include "lib/weights/import_codec.h"
#include "lib/weights/import_model.h"
#include "lib/weights/import_text.h"
#include "lib/weights/model_file.h"

namespace vq {
namespace {

constexpr const char* kVersion = "0.35.2";  // of diffusers, whose files these are like

void require(bool holds, const std::string& where, const std::string& what) {
  if (!holds) throw Error(where, "diffusers has no " + what);
}

void add_weights(Export& plan, const std::string& path, PlannedFile file) {
  plan.files.push_back({path, std::move(file), {}});
}

Json codec_json(const CodecConfig& c, const std::string& where) {
  require(c.patch == 1 && !c.linear, where, "codec that folds pixels or has a linear path");
  require(c.attention && c.middle_blocks == 2, where, "codec without attention in the middle");
  require(c.quantiser == "nearest" && c.full_codes == 0, where,
          "codec that chooses by scores or uses a part of its codes");
  require(c.decoder_blocks == c.encoder_blocks + 1 && c.encoder_blocks > 0, where,
          "codec whose decoder has not one block a level more than its encoder");
  require(c.stem_channels() == c.level_channels(0), where,
          "codec whose first convolution has another width than its first level");
  require(c.groups > 0, where, "codec without normalisation");
  std::vector<int64_t> widths;
  std::vector<std::string> down, up;
  for (int64_t l = 0; l < c.levels(); ++l) {
    const bool lowest = l + 1 == c.levels();
    widths.push_back(c.level_channels(l));
    down.push_back(lowest ? "AttnDownEncoderBlock2D" : "DownEncoderBlock2D");
    up.push_back(lowest ? "AttnUpDecoderBlock2D" : "UpDecoderBlock2D");
  }
  std::reverse(up.begin(), up.end());
  return {{"_class_name", "VQModel"},
          {"_diffusers_version", kVersion},
          {"act_fn", "silu"},
          {"block_out_channels", widths},
          {"down_block_types", down},
          {"force_upcast", false},
          {"in_channels", 3},
          {"latent_channels", c.latent},
          {"layers_per_block", c.encoder_blocks},
          {"lookup_from_codebook", false},
          {"mid_block_add_attention", true},
          {"norm_num_groups", c.groups},
          {"norm_type", "group"},
          {"num_vq_embeddings", c.codes},
          {"out_channels", 3},
          {"sample_size", c.image_size / c.factor()},
          {"scaling_factor", 0.18215},
          {"up_block_types", up},
          {"vq_embed_dim", c.code_width}};
}

// Attention is linear layers there and 1x1 convolutions here.
std::vector<int64_t> shape_there(const std::string& theirs, std::vector<int64_t> shape) {
  const bool attention = theirs.find(".attentions.") != std::string::npos;
  while (attention && shape.size() > 2 && shape.back() == 1) shape.pop_back();
  return shape;
}

// Returns the identity of the codec.
std::string add_codec(Export& plan, const std::string& path, const std::string& folder) {
  const ModelFile file = open_model(path, "codec");
  const CodecConfig config = CodecConfig::from_json(file.config, path);
  plan.pools.push_back(std::make_unique<SourcePool>(TensorSource::open(path)));
  SourcePool& pool = *plan.pools.back();
  add_json(plan, folder + "config.json", codec_json(config, path));
  PlannedFile weights = component(
      plan, pool,
      [&](const std::string& ours) {
        return their_names(diffusers_codec_names(), ours, config.levels());
      },
      shape_there);
  PlannedFile codebook{"codec", file.config, {}};
  codebook.tensors.push_back({{"quantize.embedding", pool.look("quantize.embedding").dtype,
                               pool.look("quantize.embedding").shape},
                              {&pool.look("quantize.embedding")},
                              {}});
  add_weights(plan, folder + "diffusion_pytorch_model.safetensors", std::move(weights));
  return planned_codec_identity(codebook);
}

Json transformer_json(const DenoiserConfig& d, const std::string& where) {
  require(d.condition == ConditionKind::caption, where, "pipeline without captions");
  require(!d.convolutions, where, "network with convolutions");
  require(d.grid_height == d.grid_width, where, "grid that is not square");
  require((d.position_height == 0 || d.position_height == d.grid_height) &&
              (d.position_width == 0 || d.position_width == d.grid_width),
          where, "position tables larger than the grid");
  require(d.mlp_times == 4, where, "MLP of another width than four times the network's");
  return {{"_class_name", "Transformer2DModel"},
          {"_diffusers_version", kVersion},
          {"activation_fn", "geglu-approximate"},
          {"attention_bias", true},
          {"attention_head_dim", d.width / d.heads},
          {"cross_attention_dim", d.context_width},
          {"dropout", 0.0},
          {"norm_elementwise_affine", true},
          {"norm_eps", 1e-5},
          {"norm_num_groups", 32},
          {"norm_type", "ada_norm"},
          {"num_attention_heads", d.heads},
          {"num_embeds_ada_norm", d.timesteps},
          {"num_layers", d.layers},
          {"num_vector_embeds", d.codebook_size + 1},
          {"sample_size", d.grid_height}};
}

bool is_ramp(const std::vector<double>& values) {
  const auto last = static_cast<double>(values.size()) - 1;
  for (size_t i = 0; i < values.size(); ++i) {
    const double at = last > 0 ? static_cast<double>(i) / last : 0;
    const double wanted = values.front() + at * (values.back() - values.front());
    if (std::abs(values[i] - wanted) > 1e-12) return false;
  }
  return !values.empty();
}

Json scheduler_json(const std::vector<double>& alpha, const std::vector<double>& gamma,
                    int64_t codes, const std::string& where) {
  require(is_ramp(alpha) && is_ramp(gamma), where, "schedule that is not two linear ramps");
  // The last numbers of the released ramps are not quite the ends that make them.
  const ImportedSchedule released = ImportedSchedule::ramps(static_cast<int64_t>(alpha.size()),
                                                            0.99999, 0.000009, 0.000009, 0.99999);
  const bool known = alpha == released.alpha_bar && gamma == released.gamma_bar;
  return {{"_class_name", "VQDiffusionScheduler"},
          {"_diffusers_version", kVersion},
          {"alpha_cum_end", known ? 0.000009 : alpha.back()},
          {"alpha_cum_start", alpha.front()},
          {"gamma_cum_end", known ? 0.99999 : gamma.back()},
          {"gamma_cum_start", gamma.front()},
          {"num_train_timesteps", alpha.size()},
          {"num_vec_classes", codes + 1}};
}

Json text_json(const ClipTextConfig& c, DType dtype) {
  const char* word = dtype == DType::f16    ? "float16"
                     : dtype == DType::bf16 ? "bfloat16"
                                            : "float32";
  return {{"architectures", {"CLIPTextModel"}},
          {"attention_dropout", 0.0},
          {"bos_token_id", c.vocabulary - 2},
          {"dtype", word},
          {"eos_token_id", c.vocabulary - 1},
          {"hidden_act", "quick_gelu"},
          {"hidden_size", c.width},
          {"initializer_factor", 1.0},
          {"initializer_range", 0.02},
          {"intermediate_size", c.inner},
          {"layer_norm_eps", 1e-5},
          {"max_position_embeddings", c.length},
          {"model_type", "clip_text_model"},
          {"num_attention_heads", c.heads},
          {"num_hidden_layers", c.layers},
          {"pad_token_id", 1},
          {"projection_dim", c.width},
          {"vocab_size", c.vocabulary}};
}

void add_null(Export& plan, SourcePool& pool, const ClipTextConfig& text, bool learned) {
  const std::string folder = "learned_classifier_free_sampling_embeddings/";
  add_json(plan, folder + "config.json",
           {{"_class_name", "LearnedClassifierFreeSamplingEmbeddings"},
            {"_diffusers_version", kVersion},
            {"hidden_size", learned ? Json(text.width) : Json()},
            {"learnable", learned},
            {"length", learned ? Json(text.length) : Json()}});
  PlannedFile weights;
  if (learned) {
    weights = component(plan, pool, [](const std::string& ours) {
      return ours == "condition.null" ? std::vector<std::string>{"embeddings"}
                                      : std::vector<std::string>{};
    });
  } else {
    weights.add("embeddings", DType::f32, {0}, {});
  }
  add_weights(plan, folder + "diffusion_pytorch_model.safetensors", std::move(weights));
}

void add_index(Export& plan) {
  add_json(plan, "model_index.json",
           {{"_class_name", "VQDiffusionPipeline"},
            {"_diffusers_version", kVersion},
            {"learned_classifier_free_sampling_embeddings",
             {"vq_diffusion", "LearnedClassifierFreeSamplingEmbeddings"}},
            {"scheduler", {"diffusers", "VQDiffusionScheduler"}},
            {"text_encoder", {"transformers", "CLIPTextModel"}},
            {"tokenizer", {"transformers", "CLIPTokenizer"}},
            {"transformer", {"diffusers", "Transformer2DModel"}},
            {"vqvae", {"diffusers", "VQModel"}}});
}

void add_model(Export& plan, const ModelFile& file, const std::string& codec) {
  const std::string& path = file.path;
  DenoiserConfig d;
  ConditionConfig condition;
  std::string wanted;
  try {
    d = DenoiserConfig::from_json(file.config.at("denoiser"), path);
    condition = ConditionConfig::from_json(file.config.at("condition"), path);
    wanted = file.config.at("codec").get<std::string>();
  } catch (const Json::exception&) {
    throw Error(path, "a diffusion model whose description is not complete");
  }
  plan.pools.push_back(std::make_unique<SourcePool>(TensorSource::open(path)));
  SourcePool& pool = *plan.pools.back();
  add_index(plan);
  add_json(plan, "transformer/config.json", transformer_json(d, path));
  require(condition.text_kind == TextKind::clip, path, "text encoder but CLIP's");
  add_weights(plan, "transformer/diffusion_pytorch_model.safetensors",
              component(plan, pool, [](const std::string& ours) {
                return their_names(diffusers_denoiser_names(), ours);
              }));
  add_json(plan, "scheduler/scheduler_config.json",
           scheduler_json(doubles_of(pool, "schedule.alpha_bar"),
                          doubles_of(pool, "schedule.gamma_bar"), d.codebook_size, path));
  const NameMap names = transformers_text_names("text_model.");
  PlannedFile text =
      component(plan, pool, [&](const std::string& ours) { return their_names(names, ours); });
  add_json(plan, "text_encoder/config.json",
           text_json(condition.clip,
                     text.tensors.empty() ? DType::f32 : text.tensors.front().layout.dtype));
  add_weights(plan, "text_encoder/model.safetensors", std::move(text));
  pool.take("condition.vocabulary").read([&](std::span<const uint8_t> merges) {
    add_tokenizer(plan, as_text(merges), condition.clip.length);
  });
  add_null(plan, pool, condition.clip, condition.null_kind == NullKind::learned);
  if (condition.clip.precision == ClipPrecision::fp16) {
    plan.notes.push_back(
        "the model computes its text features in 16 bits, diffusers in 32: they "
        "differ in the fourth digit");
  }
  const std::string identity = add_codec(plan, codec, "vqvae/");
  if (!wanted.empty() && wanted != identity)
    throw Error(codec, "is not the codec that the model was trained with");
}

}  // namespace

Export plan_export_diffusers(const std::string& model, const std::string& codec) {
  Export plan;
  const ModelFile file = open_model(model, "");
  if (file.kind == "codec") {
    add_codec(plan, model, "");
  } else if (file.kind == "diffusion") {
    if (codec.empty())
      throw Error::usage("--codec", "is needed: a pipeline of diffusers holds its codec");
    add_model(plan, file, codec);
  } else {
    throw Error(model, "holds a " + file.kind + ", neither a model nor a codec");
  }
  for (const auto& pool : plan.pools) {
    const auto unused = pool->unused();
    if (!unused.empty()) throw Error(pool->path(), "diffusers has no place for " + unused.front());
  }
  return plan;
}

}  // namespace vq
