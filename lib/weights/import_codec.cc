#include "lib/weights/import_codec.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "formats/error.h"
#include "lib/codec/codebook.h"
#include "lib/codec/codec.h"
#include "lib/weights/microsoft_names.h"

namespace vq {
namespace {

constexpr int64_t kReleasedGroups = 32, kReleasedImageSize = 256;

struct Look {
  const SourcePool& pool;
  const CodecNames& names;

  bool has(const std::string& name) const { return pool.has(names(name)); }
  int64_t size(const std::string& name, size_t side) const { return pool.size(names(name), side); }
  int64_t count(const std::string& before, const std::string& after) const {
    int64_t n = 0;
    while (n < 100 && has(before + std::to_string(n) + after)) ++n;
    return n;
  }
};

std::string codebook_name(const Look& look) {
  for (const char* name :
       {"quantize.embedding.weight", "quantize.embed.weight", "quantize.embedding"}) {
    if (look.has(name)) return name;
  }
  throw Error(look.pool.path(), "has no codebook (quantize.embedding, quantize.embed)");
}

// Levels of different widths: the largest number that divides all of them is one channel, as it
// were.
void set_widths(CodecConfig& c, const std::vector<int64_t>& widths, int64_t stem) {
  c.channels = 0;
  for (const int64_t width : widths) c.channels = std::gcd(c.channels, width);
  c.channels = std::gcd(c.channels, stem);
  c.multipliers.clear();
  for (const int64_t width : widths)
    c.multipliers.push_back(width / std::max<int64_t>(c.channels, 1));
  c.stem = stem == c.channels ? 0 : stem;
}

CodecConfig taming_config(const Look& look, const ImportOptions& options) {
  CodecConfig c;
  c.patch = 1;
  c.linear = false;
  c.groups = options.groups > 0 ? options.groups : kReleasedGroups;
  const int64_t levels = look.count("encoder.down.", ".block.0.conv1.weight");
  if (levels == 0) throw Error(look.pool.path(), "its encoder has no levels");
  std::vector<int64_t> widths;
  for (int64_t l = 0; l < levels; ++l)
    widths.push_back(look.size(fmt::format("encoder.down.{}.block.0.conv1.weight", l), 0));
  set_widths(c, widths, look.size("encoder.conv_in.weight", 0));
  c.encoder_blocks = look.count("encoder.down.0.block.", ".conv1.weight");
  c.decoder_blocks = look.count("decoder.up.0.block.", ".conv1.weight");
  c.middle_blocks =
      look.has("encoder.mid.block_1.conv1.weight") + look.has("encoder.mid.block_2.conv1.weight");
  c.attention = look.has("encoder.mid.attn_1.q.weight");
  c.latent = look.size("encoder.conv_out.weight", 0);
  c.code_width = look.size("quant_conv.weight", 0);
  c.codes = look.size(codebook_name(look), 0);
  c.quantiser = look.has("quantize.proj.weight") ? "logits" : "nearest";
  const int64_t f = c.factor();
  c.image_size =
      options.image_size > 0 ? options.image_size : std::max(f, kReleasedImageSize / f * f);
  return c;
}

std::vector<int64_t> read_subset(Import& import, const std::string& path, int64_t codes) {
  SourcePool& pool = import.add(TensorSource::open(path), "code subset");
  const std::vector<std::string> names = pool.unused();
  if (names.size() != 1) {
    throw Error(path,
                fmt::format("has {} tensors, not one table from code to token", names.size()));
  }
  std::string name = names.front().substr(names.front().find(": ") + 2);
  const SourceTensor& table = pool.take(name);
  if (table.dtype != DType::i64 || table.shape != std::vector<int64_t>{codes}) {
    throw Error(path,
                fmt::format("is not a table of {} 64-bit whole numbers, one for each code", codes));
  }
  std::vector<int64_t> numbers(static_cast<size_t>(codes));
  table.read([&](std::span<const uint8_t> bytes) {
    std::copy(bytes.begin(), bytes.end(), reinterpret_cast<uint8_t*>(numbers.data()));
  });
  return numbers;
}

Bytes bytes_of(const std::vector<int64_t>& numbers) {
  const auto* first = reinterpret_cast<const uint8_t*>(numbers.data());
  return Bytes(first, first + numbers.size() * sizeof(int64_t));
}

}  // namespace

std::optional<CodecNames> find_taming_codec(const SourcePool& pool) {
  for (const std::string prefix :
       {"", "model.", "state_dict.", "first_stage_model.", "state_dict.first_stage_model."}) {
    if (pool.has(prefix + "encoder.conv_in.weight") && pool.has(prefix + "decoder.conv_in.weight"))
      return [prefix](const std::string& name) { return prefix + name; };
  }
  return std::nullopt;
}

void plan_codec(PlannedFile& file, const CodecConfig& config, const TheirNames& theirs,
                SourcePool& pool, const std::vector<int64_t>& token_of_code) {
  file.kind = "codec";
  file.config = config.to_json();
  const CodecNetwork network(config, 0, Fill::shapes);
  const std::vector<std::string> without = plan_parameters(file, network.parameters, theirs, pool);
  for (const std::string& name : without) {
    if (name != kTokenOfCodeName) throw Error(pool.path(), "nothing there becomes " + name);
    file.add(name, DType::i64, {config.full_codes}, bytes_of(token_of_code));
  }
}

PlannedFile taming_codec(Import& import, SourcePool& pool, const CodecNames& names,
                         const ImportOptions& options, int64_t tokens) {
  const Look look{pool, names};
  CodecConfig config = taming_config(look, options);
  std::vector<int64_t> subset;
  if (!options.code_subset.empty()) {
    subset = read_subset(import, options.code_subset, config.codes);
    config.full_codes = config.codes;
    config.codes = std::max<int64_t>(1, *std::max_element(subset.begin(), subset.end()) + 1);
  }
  if (tokens > 0 && tokens != config.codes) {
    throw Error(pool.path(),
                fmt::format("the model has {} tokens, the codec {} codes", tokens, config.codes),
                "--code-subset FILE gives the table from code to token (taming_vqvae_2887.pt)");
  }
  config.check(pool.path());
  const std::string codebook = codebook_name(look);
  PlannedFile file;
  const auto theirs = [&](const std::string& ours) -> std::vector<std::string> {
    if (ours == kCodebookName) return {names(codebook)};
    std::vector<std::string> found = their_names(taming_codec_names(), ours);
    for (std::string& name : found) name = names(name);
    return found;
  };
  plan_codec(file, config, theirs, pool, subset);
  for (const char* average : {"quantize.cluster_size", "quantize.embedding_avg"})
    pool.leave(names(average), "moves the codes in training");
  if (!subset.empty()) planned_codec_identity(file);  // throws when the table leaves a token out
  return file;
}

void plan_taming_codec(Import& import, const CodecNames& names, const ImportOptions& options) {
  SourcePool& pool = *import.pools.front();
  import.what = "a codec of taming-transformers' family";
  import.codec = taming_codec(import, pool, names, options, 0);
  const std::string prefix = names("");
  pool.leave("*loss.*", "the loss of its training");
  pool.leave("*.num_batches_tracked", "counts the steps of its training");
  for (const char* part : {"transformer.*", "cond_stage_model.*", "permuter.*"})
    pool.leave((prefix.starts_with("state_dict.") ? "state_dict." : "") + std::string(part),
               "another model in the same file");
  for (const char* part :
       {"optimizer_states.*", "optimizer*", "callbacks.*", "lr_schedulers.*", "scheduler*"})
    pool.leave(part, "a state of training");
}

std::string planned_codec_identity(const PlannedFile& codec) {
  const CodecConfig config = CodecConfig::from_json(codec.config, "codec");
  at::Tensor table;
  if (config.full_codes > 0) table = planned_tensor(codec, kTokenOfCodeName);
  const at::Tensor codes = planned_tensor(codec, kCodebookName).to(at::kFloat);
  return codebook_identity(token_vectors(codes, table, config.codes, kTokenOfCodeName));
}

}  // namespace vq
