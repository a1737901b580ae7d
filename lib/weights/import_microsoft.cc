#include "lib/weights/import_microsoft.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "formats/error.h"
#include "lib/weights/import_codec.h"
#include "lib/weights/import_model.h"
#include "lib/weights/microsoft_names.h"

namespace vq {
namespace {

const std::string kEmbedding = "transformer.content_emb.emb.weight";
constexpr int64_t kReleasedHeads = 16, kReleasedGrid = 16, kReleasedClasses = 1000;

// The diffusion module's tensors: of the average first, then the weights themselves.
class Checkpoint {
 public:
  Checkpoint(SourcePool& pool, bool raw) : pool_(pool) {
    const bool average = pool.has("ema." + kEmbedding);
    for (const char* prefix : {"model.transformer.", "transformer.", ""}) {
      if (pool.has(prefix + kEmbedding)) {
        own_ = prefix;
        break;
      }
    }
    if (raw && !own_) throw Error(pool.path(), "has the moving average only", "leave --raw away");
    if (average && !raw) prefixes_.push_back("ema.");
    if (own_) prefixes_.push_back(*own_);
    averaged_ = average && !raw;
    ignored_average_ = average && raw;
  }

  SourcePool& pool() const { return pool_; }
  bool averaged() const { return averaged_; }
  // The name in the file, or what it would be.
  std::string operator()(const std::string& name) const {
    for (const std::string& prefix : prefixes_) {
      if (pool_.has(prefix + name)) return prefix + name;
    }
    return prefixes_.front() + name;
  }
  bool has(const std::string& name) const { return pool_.has((*this)(name)); }
  int64_t size(const std::string& name, size_t side) const {
    return pool_.size((*this)(name), side);
  }
  // Of all prefixes.
  void leave(const std::string& pattern, const std::string& reason) const {
    for (const std::string& prefix : prefixes_) pool_.leave(prefix + pattern, reason);
  }
  // At the end: what the other set of weights holds.
  void leave_others() const {
    if (averaged_ && own_) {
      for (const std::string& name : pool_.unused()) {
        if (name.starts_with(*own_) && pool_.has("ema." + name.substr(own_->size())))
          pool_.leave(name, "superseded by its moving average (--raw takes it)");
      }
    }
    if (ignored_average_) pool_.leave("ema.*", "the moving average (--raw was given)");
  }

 private:
  SourcePool& pool_;
  std::optional<std::string> own_;
  std::vector<std::string> prefixes_;
  bool averaged_ = false, ignored_average_ = false;
};

ConditionKind kind_of(const Checkpoint& c) {
  if (c.has("transformer.blocks.0.attn1.query.weight")) return ConditionKind::caption;
  if (c.has("transformer.blocks.0.ln2.emb.weight")) return ConditionKind::label;
  return ConditionKind::none;
}

void set_grid(const Checkpoint& c, const ImportOptions& options, DenoiserConfig& d) {
  d.position_height = c.size("transformer.content_emb.height_emb.weight", 0);
  d.position_width = c.size("transformer.content_emb.width_emb.weight", 0);
  const bool caption = d.condition == ConditionKind::caption;
  d.grid_height = options.grid_height, d.grid_width = options.grid_width;
  if (d.grid_height == 0) {
    d.grid_height = caption ? d.position_height : std::min(kReleasedGrid, d.position_height);
    d.grid_width = caption ? d.position_width : std::min(kReleasedGrid, d.position_width);
    // The mask that nothing uses knows how many places there are.
    const char* mask = "transformer.blocks.0.attn2.mask";
    const int64_t places = c.has(mask) ? c.size(mask, 2) : d.grid_height * d.grid_width;
    if (places != d.grid_height * d.grid_width) {
      d.grid_height = static_cast<int64_t>(std::lround(std::sqrt(static_cast<double>(places))));
      d.grid_width = places / std::max<int64_t>(1, d.grid_height);
    }
  }
  if (d.position_height == d.grid_height && d.position_width == d.grid_width)
    d.position_height = d.position_width = 0;
}

DenoiserConfig denoiser_config(const Checkpoint& c, const ImportOptions& options) {
  DenoiserConfig d;
  d.condition = kind_of(c);
  d.width = c.size(kEmbedding, 1);
  d.codebook_size = c.size("transformer.to_logits.1.weight", 0);
  d.layers = 0;
  while (c.has(fmt::format("transformer.blocks.{}.ln1.emb.weight", d.layers))) ++d.layers;
  if (d.layers == 0) throw Error(c.pool().path(), "has no transformer blocks");
  d.timesteps = c.size("transformer.blocks.0.ln1.emb.weight", 0);
  d.convolutions = c.has("transformer.blocks.0.mlp.conv1.weight");
  const int64_t inner = c.size(d.convolutions ? "transformer.blocks.0.mlp.conv1.weight"
                                              : "transformer.blocks.0.mlp.0.weight",
                               0);
  d.mlp_times = inner / std::max<int64_t>(1, d.width);
  // Tensors without numbers may have sides of any length: nothing is made of those.
  constexpr int64_t kMost = 1'000'000;
  for (const int64_t side : {d.width, d.codebook_size, d.timesteps, d.mlp_times}) {
    if (side < 1 || side > kMost)
      throw Error(c.pool().path(), fmt::format("a network with a side of {} is none", side));
  }
  d.heads = options.heads > 0 ? options.heads : kReleasedHeads;
  if (d.width % d.heads != 0) {
    throw Error(c.pool().path(), fmt::format("a width of {} has no {} heads", d.width, d.heads),
                "--heads says how many");
  }
  set_grid(c, options, d);
  return d;
}

void set_classes(const Checkpoint& c, const ImportOptions& options, DiffusionModelConfig& config,
                 std::vector<std::string>& notes) {
  const int64_t rows = c.size("transformer.blocks.0.ln2.emb.weight", 0);
  constexpr int64_t kMostClasses = 1'000'000;
  if (rows < 2 || rows > kMostClasses)
    throw Error(c.pool().path(), fmt::format("a table of {} classes is none", rows));
  const bool mean = options.null == "mean" || (options.null == "auto" && rows == kReleasedClasses);
  if (options.null == "empty")
    throw Error::usage("--null", "empty is for captions; classes have learned and mean");
  config.denoiser.mean_null = mean;
  const int64_t classes = mean ? rows : rows - 1;
  config.condition.classes = options.classes;
  if (options.classes.empty()) {
    for (int64_t i = 0; i < classes; ++i) config.condition.classes.push_back(std::to_string(i));
    notes.push_back("classes are named by their numbers; --classes FILE names them");
  }
  if (static_cast<int64_t>(config.condition.classes.size()) != classes) {
    throw Error::usage("--classes", fmt::format("has {} names, the model {} classes",
                                                config.condition.classes.size(), classes));
  }
}

void set_text(Import& import, const Checkpoint& c, const ImportOptions& options,
              ModelParts& parts) {
  const std::string tower = "condition_emb.token_embedding.weight";
  if (!options.text_tower.empty()) {
    parts.text = tower_in_file(import, options.text_tower, options.text_heads);
    c.leave("condition_emb.*", "another text tower was given (--text-tower)");
  } else if (c.has(tower)) {
    const std::string name = c(tower);
    const std::string prefix =
        name.substr(0, name.size() - std::string("token_embedding.weight").size());
    parts.text = openai_tower(c.pool(), prefix, options.text_heads);
  } else {
    throw Error(c.pool().path(), "listens to captions, and holds no text tower",
                "--text-tower ViT-B-32.pt gives CLIP's");
  }
  if (options.vocabulary.empty()) {
    throw Error::usage("--vocabulary", "is needed: checkpoints do not hold CLIP's vocabulary",
                       "bpe_simple_vocab_16e6.txt.gz of CLIP, or the folder of its tokenizer");
  }
  ConditionConfig& condition = parts.config.condition;
  condition.text_kind = TextKind::clip;
  condition.clip = parts.text.sizes;
  parts.tokenizer = ClipTokenizer::open(options.vocabulary, condition.clip_ids);
  const bool learned =
      options.null == "learned" || (options.null == "auto" && c.has("empty_text_embed"));
  if (options.null == "mean")
    throw Error::usage("--null", "mean is for classes; captions have learned and empty");
  condition.null_kind = learned ? NullKind::learned : NullKind::empty;
  if (learned) {
    parts.null_pool = &c.pool(), parts.null_name = c("empty_text_embed");
  } else {
    c.leave("empty_text_embed", "the null is the empty caption");
  }
}

std::vector<double> logarithms(const Checkpoint& c, const std::string& name, int64_t count) {
  const at::Tensor t = float_tensor(c.pool().take(c(name))).flatten().to(at::kDouble);
  if (t.numel() < count)
    throw Error(c.pool().path(), fmt::format("{} has {} steps of {}", name, t.numel(), count));
  const double* first = t.data_ptr<double>();
  return {first, first + count};
}

void set_schedule(const Checkpoint& c, ModelParts& parts) {
  const int64_t steps = parts.config.denoiser.timesteps;
  if (c.has("log_cumprod_at") && c.has("log_cumprod_ct")) {
    parts.schedule = ImportedSchedule::of_logarithms(logarithms(c, "log_cumprod_at", steps),
                                                     logarithms(c, "log_cumprod_ct", steps),
                                                     parts.config.denoiser.codebook_size);
  } else {
    parts.schedule = ImportedSchedule::ramps(steps, 0.99999, 0.000009, 0.000009, 0.99999);
  }
}

// The presets of the original's page.
Json suggestions(const DiffusionModelConfig& config) {
  const bool caption = config.condition.kind == ConditionKind::caption;
  const bool label = config.condition.kind == ConditionKind::label;
  Json s = {{"steps", config.denoiser.timesteps}};
  if (caption && config.condition.null_kind == NullKind::learned) {
    constexpr int64_t kIthqWidth = 1408;
    s["guidance"] = config.denoiser.width >= kIthqWidth ? 5.0 : 3.0;
    s["top_p"] = 1.0;
  } else if (label && !config.denoiser.mean_null) {
    s["guidance"] = 1.5, s["top_p"] = 0.94;
  } else {
    s["guidance"] = 1.0, s["top_p"] = 0.86;
  }
  return s;
}

void leave_the_rest(const Checkpoint& c) {
  c.leave("transformer.blocks.*.attn2.mask", "a causal mask that nothing uses");
  c.leave("condition_emb.text_projection",
          "leads into CLIP's common space, which nothing here uses");
  for (const char* cumulated :
       {"log_cumprod_bt", "log_cumprod_at", "log_cumprod_ct", "log_at", "log_bt", "log_ct",
        "log_1_min_*", "log_alpha", "log_cumprod_alpha"})
    c.leave(cumulated, "follows from the schedule");
  c.leave("Lt_history", "a state of training");
  c.leave("Lt_count", "a state of training");
  c.leave_others();
  for (const char* training : {"optimizer_and_scheduler.*", "clip_grad_norm.*"})
    c.pool().leave(training, "a state of training");
}

// The codec inside: planned when it can be, for its identity at least.
void plan_content_codec(Import& import, const Checkpoint& c, const ImportOptions& options,
                        int64_t tokens) {
  SourcePool& pool = c.pool();
  const std::string prefix =
      pool.has_prefix("model.content_codec.") ? "model.content_codec." : "content_codec.";
  if (!pool.has_prefix(prefix)) return;
  const CodecNames names = [prefix](const std::string& name) {
    return prefix + name_in_content_codec(name);
  };
  const std::string codebook = names("quantize.embed.weight");
  const bool other_size = pool.has(codebook) && pool.size(codebook, 0) != tokens;
  const std::string nearest = names("quantize.embedding.weight");
  const bool other_nearest = pool.has(nearest) && pool.size(nearest, 0) != tokens;
  if ((other_size || other_nearest) && options.code_subset.empty()) {
    pool.leave(prefix + "*", "the codec, whose codes need the table of --code-subset");
    import.notes.push_back(
        "the codec inside has more codes than the model has tokens: --code-subset FILE gives the "
        "table; without it the codec is not taken and the model does not know its codec");
    return;
  }
  import.codec = taming_codec(import, pool, names, options, tokens);
  pool.leave(prefix + "dec.quantize.*", "the quantiser once more");
}

}  // namespace

bool is_microsoft_checkpoint(const SourcePool& pool) {
  for (const char* prefix : {"ema.", "model.transformer.", "transformer.", ""}) {
    if (pool.has(prefix + kEmbedding)) return true;
  }
  return false;
}

void plan_microsoft(Import& import, const ImportOptions& options) {
  const Checkpoint c(*import.pools.front(), options.raw);
  ModelParts parts;
  parts.config.denoiser = denoiser_config(c, options);
  const ConditionKind kind = parts.config.condition.kind = parts.config.denoiser.condition;
  if (kind == ConditionKind::caption) set_text(import, c, options, parts);
  if (kind == ConditionKind::label) set_classes(c, options, parts.config, import.notes);
  set_schedule(c, parts);
  parts.config.suggested = suggestions(parts.config);
  for (const auto& [name, value] : options.suggested.items()) parts.config.suggested[name] = value;
  plan_content_codec(import, c, options, parts.config.denoiser.codebook_size);
  if (import.codec) parts.config.codec = planned_codec_identity(*import.codec);
  parts.pool = &c.pool();
  const NameMap map = microsoft_denoiser_names(kind, parts.config.denoiser.convolutions);
  parts.denoiser = [&](const std::string& ours) {
    std::vector<std::string> names = their_names(map, ours);
    for (std::string& name : names) name = c(name);
    return names;
  };
  import.model = plan_model(parts);
  leave_the_rest(c);
  const char* listens = kind == ConditionKind::caption ? "of captions"
                        : kind == ConditionKind::label ? "of classes"
                                                       : "without a condition";
  import.what = fmt::format("a checkpoint of microsoft/VQ-Diffusion, {}{}", listens,
                            c.averaged() ? ", the moving average" : "");
}

}  // namespace vq
