#include "lib/weights/export_microsoft.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <cmath>

#include "formats/error.h"
#include "formats/torch_archive.h"
#include "lib/codec/codebook.h"
#include "lib/codec/codec.h"
#include "lib/diffusion/model.h"
#include "lib/weights/import.h"
#include "tests/unit/temp_folder.h"

namespace vq {
namespace {

constexpr int64_t kTokens = 11, kCodes = 16;

enum class Codes { nearest, averages, scores };

CodecConfig codec_config(Codes codes) {
  CodecConfig c;
  c.image_size = 8, c.patch = 1, c.channels = 4, c.multipliers = {1, 3};
  c.encoder_blocks = 1, c.decoder_blocks = 2, c.middle_blocks = 2;
  c.linear = false, c.attention = true, c.groups = 4, c.latent = 8, c.code_width = 8;
  c.codes = kCodes;
  if (codes == Codes::averages) c.code_width = 6;
  if (codes == Codes::scores) c.quantiser = "logits", c.codes = kTokens, c.full_codes = kCodes;
  return c;
}

void randomise(const Parameters& network) {
  for (const auto& entry : network.entries()) {
    at::Tensor t = entry.tensor;
    if (t.is_floating_point()) t.normal_();
  }
}

// A model and its codec in files, with random weights.
struct Made {
  Made(ConditionKind kind, Codes codes, bool learned = true,
       const std::string& schedule = "linear") {
    const at::NoGradGuard no_grad;
    CodecNetwork codec(codec_config(codes), 3);
    randomise(codec.parameters);
    if (codes == Codes::scores) {  // every token once, what is not used is token 0
      codec.token_of_code.zero_();
      codec.token_of_code.slice(0, kCodes - kTokens).copy_(at::arange(kTokens));
    }
    save_model(folder / "codec", "codec", codec.config.to_json(), Json::array(),
               named_tensors(codec.parameters), true);
    DenoiserConfig& d = config.denoiser;
    d.layers = 2, d.width = 16, d.heads = 2, d.grid_height = d.grid_width = 4, d.timesteps = 10;
    d.codebook_size = codec.config.codes;
    d.convolutions = kind != ConditionKind::caption;
    config.schedule = schedule;
    ConditionConfig& c = config.condition;
    c.kind = kind;
    if (kind == ConditionKind::label) {
      c.classes = {"cat", "a dog", "owl"};
      d.mean_null = !learned, d.position_height = d.position_width = 8;
    }
    Tokenizer tokenizer;
    if (kind == ConditionKind::caption) {
      c.text_kind = TextKind::clip, c.clip.precision = ClipPrecision::fp16;
      c.clip.layers = 1, c.clip.width = 64, c.clip.heads = 1, c.clip.inner = 16;
      c.clip.vocabulary = 512 + 3 + 2, c.clip.length = 5;
      c.null_kind = learned ? NullKind::learned : NullKind::empty;
      tokenizer = ClipTokenizer::parse("a b\nab c</w>\nd e\n", "merges", c.clip_ids);
    }
    config.codec = codebook_identity(
        token_vectors(codec.codes, codec.token_of_code, codec.config.codes, "codec"));
    DiffusionModel model(config, std::move(tokenizer), 5);
    randomise(model.parameters());
    model.save(folder / "model", named_tensors(model.parameters()), Json::array(), true);
  }
  std::string write() const {
    write_export(plan_export_microsoft(folder / "model", folder / "codec"), folder / "out", true);
    return folder / "out";
  }
  // What says nothing about itself in a checkpoint.
  ImportOptions options(const std::string& out) const {
    ImportOptions o;
    o.heads = 2, o.groups = 4, o.image_size = 8;
    o.classes = config.condition.classes;
    if (config.condition.kind != ConditionKind::caption) o.grid_height = o.grid_width = 4;
    if (config.condition.kind == ConditionKind::caption) o.vocabulary = out + "/tokenizer";
    if (config.denoiser.mean_null) o.null = "mean";
    if (config.denoiser.codebook_size == kTokens) o.code_subset = out + "/code_subset.pt";
    return o;
  }
  TempFolder folder;
  DiffusionModelConfig config;
};

void expect_same_file(const std::string& a, const std::string& b) {
  const SafetensorsFile one(a), other(b);
  ASSERT_EQ(one.names().size(), other.names().size());
  for (const std::string& name : one.names()) {
    const TensorView x = one.tensor(name), y = other.tensor(name);
    EXPECT_EQ(x.dtype, y.dtype) << name;
    EXPECT_EQ(x.shape, y.shape) << name;
    EXPECT_TRUE(std::equal(x.bytes.begin(), x.bytes.end(), y.bytes.begin(), y.bytes.end())) << name;
  }
  Json own = parse_json(one.metadata().at("vq.config"), a);
  Json its = parse_json(other.metadata().at("vq.config"), b);
  own.erase("suggested"), its.erase("suggested");
  EXPECT_EQ(own, its);
}

void expect_round_trip(const Made& made) {
  const std::string out = made.write();
  const Import import = plan_import(out + "/model.pth", made.options(out));
  write_planned(*import.model, made.folder / "model2", Json::array(), true);
  write_planned(*import.codec, made.folder / "codec2", Json::array(), true);
  expect_same_file(made.folder / "model", made.folder / "model2");
  expect_same_file(made.folder / "codec", made.folder / "codec2");
  ImportOptions options;
  options.groups = 4, options.image_size = 8;
  if (made.config.denoiser.codebook_size == kTokens) options.code_subset = out + "/code_subset.pt";
  const Import codec = plan_import(out + "/codec.pth", options);
  write_planned(*codec.codec, made.folder / "codec2", Json::array(), true);
  expect_same_file(made.folder / "codec", made.folder / "codec2");
}

TEST(ExportMicrosoft, WhatGoesOutComesBackBitForBit) {
  expect_round_trip(Made(ConditionKind::caption, Codes::nearest, true));
  expect_round_trip(Made(ConditionKind::caption, Codes::averages, false));
  expect_round_trip(Made(ConditionKind::label, Codes::scores, true));
  expect_round_trip(Made(ConditionKind::label, Codes::nearest, false));
  expect_round_trip(Made(ConditionKind::none, Codes::averages));
}

TEST(ExportMicrosoft, NamesAreThoseOfTheOriginal) {
  const Made made(ConditionKind::caption, Codes::averages);
  const TorchArchive file(made.write() + "/model.pth");
  EXPECT_EQ(file.values(), (Json{{"last_epoch", 0}, {"last_iter", 0}}));
  for (const char* name :
       {"content_codec.enc.encoder.conv_in.weight", "content_codec.enc.quant_conv.bias",
        "content_codec.enc.quantize.embedding", "content_codec.enc.quantize.cluster_size",
        "content_codec.dec.quantize.embedding_avg", "content_codec.dec.decoder.conv_out.weight",
        "content_codec.dec.post_quant_conv.weight", "transformer.empty_text_embed",
        "transformer.condition_emb.token_embedding.weight",
        "transformer.condition_emb.text_projection",
        "transformer.condition_emb.transformer.resblocks.0.attn.in_proj_weight",
        "transformer.transformer.content_emb.height_emb.weight",
        "transformer.transformer.blocks.1.ln1_1.linear.bias",
        "transformer.transformer.blocks.1.attn1.key.weight",
        "transformer.transformer.blocks.1.attn2.mask",
        "transformer.transformer.blocks.1.mlp.2.bias", "transformer.transformer.to_logits.1.weight",
        "transformer.Lt_history", "transformer.log_1_min_cumprod_ct"}) {
    EXPECT_TRUE(file.contains(std::string("model.") + name)) << name;
  }
  const auto storage = [&](const std::string& name) {
    return file.tensor("model." + name).storage;
  };
  EXPECT_EQ(storage("content_codec.enc.quantize.embedding"),
            storage("content_codec.dec.quantize.embedding"));
  EXPECT_NE(storage("content_codec.enc.quantize.embedding"),
            storage("content_codec.enc.quantize.embedding_avg"));
  EXPECT_EQ(storage("transformer.transformer.blocks.0.attn2.mask"),
            storage("transformer.transformer.blocks.1.attn2.mask"));
}

std::vector<float> floats_of(const TorchArchive& file, const std::string& name) {
  std::vector<float> numbers(file.tensor("model.transformer." + name).count());
  file.read("model.transformer." + name,
            {reinterpret_cast<uint8_t*>(numbers.data()), numbers.size() * sizeof(float)});
  return numbers;
}

// The buffers are the logarithms of one chain: cumulated they are the cumulated ones, and the
// entries of each row sum to one.
TEST(ExportMicrosoft, TheScheduleIsAChain) {
  for (const std::string name : {"linear", "replace", "cosine"}) {
    const Made made(ConditionKind::none, Codes::nearest, true, name);
    const TorchArchive file(made.write() + "/model.pth");
    const auto at = floats_of(file, "log_at"), bt = floats_of(file, "log_bt"),
               ct = floats_of(file, "log_ct"), rest = floats_of(file, "log_1_min_ct"),
               all_at = floats_of(file, "log_cumprod_at"),
               all_bt = floats_of(file, "log_cumprod_bt"),
               all_ct = floats_of(file, "log_cumprod_ct"),
               all_rest = floats_of(file, "log_1_min_cumprod_ct");
    ASSERT_EQ(at.size(), 10u);
    ASSERT_EQ(all_at.size(), 11u);
    double a = 1, unmasked = 1;
    for (size_t t = 0; t < at.size(); ++t) {
      a *= std::exp(at[t]), unmasked *= std::exp(rest[t]);
      EXPECT_NEAR(std::exp(all_at[t]), a, 1e-5);
      EXPECT_NEAR(std::exp(all_rest[t]), unmasked, 1e-5);
      EXPECT_NEAR(std::exp(at[t]) + kCodes * std::exp(bt[t]) + std::exp(ct[t]), 1, 1e-5);
      EXPECT_NEAR(std::exp(all_at[t]) + kCodes * std::exp(all_bt[t]) + std::exp(all_ct[t]), 1,
                  1e-5);
      EXPECT_NEAR(std::exp(all_ct[t]), 1 - std::exp(all_rest[t]), 1e-5);
    }
    EXPECT_EQ(all_at.back(), 0);
    EXPECT_EQ(all_ct.back(), -INFINITY);
    EXPECT_EQ(all_rest.back(), 0);
  }
}

std::string refusal_of(const std::string& model, const std::string& codec) {
  return error_of([&] { plan_export_microsoft(model, codec); });
}

TEST(ExportMicrosoft, WhatTheyHaveNotIsRefused) {
  const Made made(ConditionKind::label, Codes::nearest);
  EXPECT_NE(refusal_of(made.folder / "model", "").find("--codec"), std::string::npos);
  EXPECT_NE(refusal_of(made.folder / "codec", made.folder / "codec"), "");
  const Made other(ConditionKind::label, Codes::nearest);
  EXPECT_NE(refusal_of(made.folder / "model", other.folder / "codec").find("not the codec"),
            std::string::npos);
  const CodecNetwork ours(CodecConfig(), 4);
  save_model(made.folder / "ours", "codec", CodecConfig().to_json(), Json::array(),
             named_tensors(ours.parameters), true);
  EXPECT_NE(refusal_of(made.folder / "ours", "").find("folds pixels"), std::string::npos);
}

}  // namespace
}  // namespace vq
