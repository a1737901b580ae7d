#include "lib/weights/export_microsoft.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "formats/error.h"
#include "lib/codec/codec.h"
#include "lib/codec/config.h"
#include "lib/diffusion/model.h"
#include "lib/weights/import_codec.h"
#include "lib/weights/import_text.h"
#include "lib/weights/microsoft_names.h"
#include "lib/weights/model_file.h"

namespace vq {
namespace {

constexpr int64_t kTheirGroups = 32;

void require(bool holds, const std::string& where, const std::string& what) {
  if (!holds) throw Error(where, "microsoft/VQ-Diffusion has no " + what);
}

Bytes bytes_of(const std::vector<float>& numbers) {
  const auto* first = reinterpret_cast<const uint8_t*>(numbers.data());
  return Bytes(first, first + numbers.size() * sizeof(float));
}

void add_floats(PlannedFile& file, const std::string& name, const std::vector<float>& numbers) {
  file.add(name, DType::f32, {static_cast<int64_t>(numbers.size())}, bytes_of(numbers));
}

void add_archive(Export& plan, const std::string& path, PlannedFile file, const std::string& group,
                 Json values = Json::object()) {
  plan.files.push_back({path, std::move(file), {}, ExportedArchive{group, std::move(values)}});
}

// ---- the codec

void check_codec(const CodecConfig& c, const std::string& where) {
  require(c.patch == 1 && !c.linear, where, "codec that folds pixels or has a linear path");
  require(c.attention && c.middle_blocks == 2, where, "codec without attention in the middle");
  require(c.decoder_blocks == c.encoder_blocks + 1 && c.encoder_blocks > 0, where,
          "codec whose decoder has not one block a level more than its encoder");
  require(c.groups > 0, where, "codec without normalisation");
  for (int64_t l = 0; l < c.levels(); ++l) {
    require(c.level_channels(l) % c.stem_channels() == 0, where,
            "codec whose levels are no multiples of its first convolution");
  }
}

// Of their three codecs only the one whose codes move by averages (PatchVQGAN, of ITHQ) has codes
// narrower than what its encoder gives; its codebook has a name of its own.
bool is_patch_codec(const CodecConfig& c) {
  return c.quantiser == "nearest" && c.code_width < c.latent;
}

std::vector<std::string> names_in_taming(const CodecConfig& c, const std::string& ours) {
  if (ours == kTokenOfCodeName) return {};
  if (ours == kCodebookName) {
    return {c.quantiser == "logits" ? "quantize.embed.weight"
            : is_patch_codec(c)     ? "quantize.embedding"
                                    : "quantize.embedding.weight"};
  }
  return their_names(taming_codec_names(), ours);
}

struct CodecParts {
  CodecConfig config;
  std::string path;
  SourcePool* pool = nullptr;
};

CodecParts open_codec(Export& plan, const std::string& path) {
  const ModelFile file = open_model(path, "codec");
  plan.pools.push_back(std::make_unique<SourcePool>(TensorSource::open(path)));
  return {CodecConfig::from_json(file.config, path), path, plan.pools.back().get()};
}

// Averages that stand where the codes do: one use each.
void add_averages(PlannedFile& file, const CodecParts& codec, const std::string& prefix,
                  const SourceTensor& codes) {
  if (!is_patch_codec(codec.config)) return;
  const auto rows = static_cast<size_t>(codec.config.codebook_rows());
  file.tensors.push_back({{prefix + "embedding_avg", codes.dtype, codes.shape}, {&codes}, {}});
  add_floats(file, prefix + "cluster_size", std::vector<float>(rows, 1));
}

void add_codec_file(Export& plan, const std::string& path) {
  const CodecParts codec = open_codec(plan, path);
  check_codec(codec.config, path);
  PlannedFile weights = component(plan, *codec.pool, [&](const std::string& ours) {
    return names_in_taming(codec.config, ours);
  });
  const bool patch = is_patch_codec(codec.config);
  if (patch) {
    // A copy: in their module the average is another tensor than the codes.
    plan.pieces.push_back(codec.pool->look(kCodebookName));
    add_averages(weights, codec, "quantize.", plan.pieces.back());
  }
  add_archive(plan, "codec.pth", std::move(weights), patch ? "model" : "state_dict");
  if (codec.config.full_codes > 0) {
    const SourceTensor& table = codec.pool->take(kTokenOfCodeName);
    PlannedFile subset;
    subset.tensors.push_back({{"", table.dtype, table.shape}, {&table}, {}});
    add_archive(plan, "code_subset.pt", std::move(subset), "");
  }
  if (codec.config.groups != kTheirGroups) {
    plan.notes.push_back(
        fmt::format("the codec's norms have {} groups; theirs have {}, which their code, not the "
                    "checkpoint, says",
                    codec.config.groups, kTheirGroups));
  }
}

// The codec as a main checkpoint has it, in two halves that share the quantiser. Returns its
// identity.
std::string add_content_codec(Export& plan, PlannedFile& file, const std::string& path) {
  const CodecParts codec = open_codec(plan, path);
  PlannedFile planned{"codec", codec.config.to_json(), {}};
  for (const char* name : {kCodebookName, kTokenOfCodeName}) {
    if (!codec.pool->has(name)) continue;
    const SourceTensor& own = codec.pool->look(name);
    planned.tensors.push_back({{name, own.dtype, own.shape}, {&own}, {}});
  }
  const std::string encoder = "content_codec.enc.quantize.";
  PlannedFile weights = component(plan, *codec.pool, [&](const std::string& ours) {
    std::vector<std::string> names = names_in_taming(codec.config, ours);
    for (std::string& name : names) name = "content_codec." + name_in_content_codec(name);
    return names;
  });
  if (is_patch_codec(codec.config)) {
    plan.pieces.push_back(codec.pool->look(kCodebookName));
    add_averages(weights, codec, encoder, plan.pieces.back());
  }
  for (const PlannedTensor& tensor : std::vector<PlannedTensor>(weights.tensors)) {
    if (!tensor.layout.name.starts_with(encoder)) continue;
    weights.tensors.push_back(tensor);
    weights.tensors.back().layout.name =
        "content_codec.dec.quantize." + tensor.layout.name.substr(encoder.size());
  }
  if (codec.config.full_codes > 0) codec.pool->take(kTokenOfCodeName);  // code_subset.pt holds it
  std::move(weights.tensors.begin(), weights.tensors.end(), std::back_inserter(file.tensors));
  return planned_codec_identity(planned);
}

// ---- the diffusion module

// log(1 - e^x) as their code has it, which never takes the logarithm of nothing.
float log_rest(double logarithm) {
  return static_cast<float>(std::log(1 - std::exp(logarithm) + 1e-40));
}

// Their buffers: logarithms of one step and of all steps so far; those have a last place for no
// step at all.
void add_schedule(PlannedFile& file, const std::string& prefix, const std::vector<double>& alpha,
                  const std::vector<double>& gamma, int64_t codes) {
  const auto log = [](double x) { return static_cast<float>(std::log(std::max(0.0, x))); };
  const size_t steps = alpha.size();
  std::vector<float> at, bt, ct, rest, all_at, all_bt, all_ct, all_rest;
  const auto count = static_cast<double>(codes);
  for (size_t t = 0; t < steps; ++t) {
    const double a_before = t == 0 ? 1 : alpha[t - 1], c_before = t == 0 ? 0 : gamma[t - 1];
    // Where nothing is left to keep, a step keeps nothing and masks what there is.
    const double a = a_before > 0 ? alpha[t] / a_before : 0;
    const double c = c_before < 1 ? 1 - (1 - gamma[t]) / (1 - c_before) : 1;
    at.push_back(log(a)), ct.push_back(log(c)), bt.push_back(log((1 - a - c) / count));
    rest.push_back(log_rest(std::log(c)));
    all_at.push_back(log(alpha[t])), all_ct.push_back(log(gamma[t]));
    all_bt.push_back(log((1 - alpha[t] - gamma[t]) / count));
    all_rest.push_back(log_rest(std::log(gamma[t])));
  }
  constexpr float kNothing = -std::numeric_limits<float>::infinity();
  all_at.push_back(0), all_bt.push_back(kNothing), all_ct.push_back(kNothing);
  all_rest.push_back(0);
  const std::pair<const char*, const std::vector<float>&> rows[] = {
      {"log_at", at},
      {"log_bt", bt},
      {"log_ct", ct},
      {"log_1_min_ct", rest},
      {"log_cumprod_at", all_at},
      {"log_cumprod_bt", all_bt},
      {"log_cumprod_ct", all_ct},
      {"log_1_min_cumprod_ct", all_rest}};
  for (const auto& [name, numbers] : rows) add_floats(file, prefix + name, numbers);
  for (const char* name : {"Lt_history", "Lt_count"})
    add_floats(file, prefix + name, std::vector<float>(steps, 0));
}

// Every block's own causal mask, which nothing reads: stored once.
void add_masks(Export& plan, PlannedFile& file, const std::string& prefix,
               const DenoiserConfig& d) {
  const int64_t places = d.grid_height * d.grid_width;
  SourceTensor mask{"mask", DType::f32, {1, 1, places, places}, {}};
  mask.read = [places](const auto& to) {
    std::vector<float> rows(static_cast<size_t>(places * places));
    for (int64_t i = 0; i < places; ++i) std::fill_n(rows.begin() + i * places, i + 1, 1.0F);
    to(bytes_of(rows));
  };
  plan.pieces.push_back(std::move(mask));
  const SourceTensor& one = plan.pieces.back();
  for (int64_t i = 0; i < d.layers; ++i) {
    file.tensors.push_back(
        {{fmt::format("{}transformer.blocks.{}.attn2.mask", prefix, i), one.dtype, one.shape},
         {&one},
         {}});
  }
}

void check_model(const DenoiserConfig& d, const ConditionConfig& c, const std::string& where) {
  require(c.kind != ConditionKind::caption || c.text_kind == TextKind::clip, where,
          "text encoder but CLIP's");
  require(!d.convolutions || d.grid_height == d.grid_width, where,
          "network with convolutions over a grid that is not square");
}

std::string note_of(const DenoiserConfig& d) {
  const int64_t height = d.position_height > 0 ? d.position_height : d.grid_height;
  const int64_t width = d.position_width > 0 ? d.position_width : d.grid_width;
  return fmt::format(
      "their configuration has to say: n_layer {}, n_embd {}, n_head {}, mlp_hidden_times {}, "
      "content_seq_len {}, num_embed {}, spatial_size [{}, {}], diffusion_step {}",
      d.layers, d.width, d.heads, d.mlp_times, d.grid_height * d.grid_width, d.codebook_size,
      height, width, d.timesteps);
}

void add_texts(Export& plan, PlannedFile& file, SourcePool& pool, const std::string& prefix,
               const ConditionConfig& condition) {
  const ClipTextConfig& clip = condition.clip;
  Bytes zeros(static_cast<size_t>(clip.width * clip.width) * dtype_size(DType::f16));
  file.add(prefix + "condition_emb.text_projection", DType::f16, {clip.width, clip.width},
           std::move(zeros));
  pool.take("condition.vocabulary").read([&](std::span<const uint8_t> merges) {
    add_tokenizer(plan, as_text(merges), clip.length);
  });
  if (clip.precision == ClipPrecision::fp32) {
    plan.notes.push_back(
        "the model computes its text features in 32 bits, theirs in 16: they differ in the fourth "
        "digit");
  }
}

void add_classes(Export& plan, const ConditionConfig& condition) {
  std::string text;
  for (const std::string& name : condition.classes) text += name + "\n";
  plan.files.push_back({"classes.txt", {}, Bytes(text.begin(), text.end()), {}});
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
  check_model(d, condition, path);
  add_codec_file(plan, codec);
  PlannedFile weights;
  const std::string identity = add_content_codec(plan, weights, codec);
  if (!wanted.empty() && wanted != identity)
    throw Error(codec, "is not the codec that the model was trained with");
  plan.pools.push_back(std::make_unique<SourcePool>(TensorSource::open(path)));
  SourcePool& pool = *plan.pools.back();
  const std::string prefix = "transformer.";
  const NameMap network = microsoft_denoiser_names(condition.kind, d.convolutions);
  const NameMap text = openai_text_names("condition_emb.");
  PlannedFile own = component(plan, pool, [&](const std::string& ours) {
    std::vector<std::string> names = ours == "condition.null"
                                         ? std::vector<std::string>{"empty_text_embed"}
                                         : their_names(network, ours);
    if (names.empty()) names = their_names(text, ours);
    for (std::string& name : names) name = prefix + name;
    return names;
  });
  std::move(own.tensors.begin(), own.tensors.end(), std::back_inserter(weights.tensors));
  add_schedule(weights, prefix, doubles_of(pool, "schedule.alpha_bar"),
               doubles_of(pool, "schedule.gamma_bar"), d.codebook_size);
  if (condition.kind == ConditionKind::caption) {
    add_masks(plan, weights, prefix, d);
    add_texts(plan, weights, pool, prefix, condition);
  }
  if (condition.kind == ConditionKind::label) add_classes(plan, condition);
  add_archive(plan, "model.pth", std::move(weights), "model",
              {{"last_epoch", 0}, {"last_iter", 0}});
  plan.notes.push_back(note_of(d));
}

}  // namespace

Export plan_export_microsoft(const std::string& model, const std::string& codec) {
  Export plan;
  const ModelFile file = open_model(model, "");
  if (file.kind == "codec") {
    if (!codec.empty()) throw Error::usage("--codec", "says nothing: " + model + " is a codec");
    add_codec_file(plan, model);
  } else if (file.kind == "diffusion") {
    if (codec.empty())
      throw Error::usage("--codec", "is needed: a checkpoint of theirs holds its codec");
    add_model(plan, file, codec);
  } else {
    throw Error(model, "holds a " + file.kind + ", neither a model nor a codec");
  }
  for (const auto& pool : plan.pools) {
    const auto unused = pool->unused();
    if (!unused.empty())
      throw Error(pool->path(), "microsoft/VQ-Diffusion has no place for " + unused.front());
  }
  return plan;
}

}  // namespace vq
