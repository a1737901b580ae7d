#include "lib/weights/export_diffusers.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "formats/error.h"
#include "lib/codec/codebook.h"
#include "lib/codec/codec.h"
#include "lib/diffusion/model.h"
#include "lib/weights/import.h"
#include "tests/unit/temp_folder.h"

namespace vq {
namespace {

CodecConfig codec_config() {
  CodecConfig c;
  c.image_size = 8, c.patch = 1, c.channels = 4, c.multipliers = {2, 3}, c.stem = 8;
  c.encoder_blocks = 1, c.decoder_blocks = 2, c.middle_blocks = 2;
  c.linear = false, c.attention = true, c.groups = 4, c.latent = 12, c.code_width = 6, c.codes = 16;
  return c;
}

// A model and its codec in files, with random weights of different kinds.
struct Files {
  explicit Files(bool learned = true) {
    const at::NoGradGuard no_grad;
    CodecNetwork codec(codec_config(), 3);
    codec.codes.copy_(at::randn(codec.codes.sizes()));
    save_model(folder / "codec", "codec", codec.config.to_json(), Json::array(),
               named_tensors(codec.parameters), true);
    config.denoiser.layers = 2, config.denoiser.width = 16, config.denoiser.heads = 2;
    config.denoiser.grid_height = config.denoiser.grid_width = 4;
    config.denoiser.codebook_size = 16, config.denoiser.timesteps = 10;
    ConditionConfig& c = config.condition;
    c.kind = ConditionKind::caption, c.text_kind = TextKind::clip;
    c.clip.layers = 1, c.clip.width = 8, c.clip.heads = 2, c.clip.inner = 16;
    c.clip.vocabulary = 512 + 3 + 2, c.clip.length = 5;
    c.clip_ids = {ClipTooLong::lose_end, ClipExclamation::padding};
    c.null_kind = learned ? NullKind::learned : NullKind::empty;
    config.codec = codebook_identity(codec.codes);
    const ClipTokenizer tokenizer =
        ClipTokenizer::parse("a b\nab c</w>\nd e\n", "merges", c.clip_ids);
    DiffusionModel model(config, tokenizer, 5);
    for (const auto& entry : model.parameters().entries()) {
      at::Tensor t = entry.tensor;
      t.normal_();
    }
    model.save(folder / "model", named_tensors(model.parameters()), Json::array(), true);
  }
  std::string write() const {
    write_export(plan_export_diffusers(folder / "model", folder / "codec"), folder / "out", true);
    return folder / "out";
  }
  TempFolder folder;
  DiffusionModelConfig config;
};

void expect_same(const std::string& a, const std::string& b) {
  const SafetensorsFile one(a), other(b);
  ASSERT_EQ(one.names().size(), other.names().size());
  for (const std::string& name : one.names()) {
    const TensorView x = one.tensor(name), y = other.tensor(name);
    EXPECT_EQ(x.shape, y.shape) << name;
    EXPECT_TRUE(std::equal(x.bytes.begin(), x.bytes.end(), y.bytes.begin(), y.bytes.end())) << name;
  }
  Json own = parse_json(one.metadata().at("vq.config"), a);
  Json its = parse_json(other.metadata().at("vq.config"), b);
  own.erase("suggested"), its.erase("suggested");
  EXPECT_EQ(own, its);
}

TEST(ExportDiffusers, WhatGoesOutComesBackBitForBit) {
  for (const bool learned : {true, false}) {
    const Files files(learned);
    const Import import = plan_import(files.write(), {});
    write_planned(*import.model, files.folder / "model2", Json::array(), false);
    write_planned(*import.codec, files.folder / "codec2", Json::array(), false);
    expect_same(files.folder / "model", files.folder / "model2");
    expect_same(files.folder / "codec", files.folder / "codec2");
  }
}

TEST(ExportDiffusers, ACodecAloneIsAFolderOfItsOwn) {
  const Files files;
  write_export(plan_export_diffusers(files.folder / "codec", ""), files.folder / "vq", false);
  ImportOptions options;
  options.image_size = 8;
  const Import import = plan_import(files.folder / "vq", options);
  EXPECT_FALSE(import.model);
  write_planned(*import.codec, files.folder / "codec2", Json::array(), false);
  expect_same(files.folder / "codec", files.folder / "codec2");
}

TEST(ExportDiffusers, WhatDiffusersHasNotIsRefused) {
  Files files;
  EXPECT_THROW(plan_export_diffusers(files.folder / "model", ""), Error);
  CodecConfig other = codec_config();
  other.codes = 17;
  CodecNetwork codec(other, 4);
  save_model(files.folder / "other", "codec", other.to_json(), Json::array(),
             named_tensors(codec.parameters), true);
  EXPECT_THROW(plan_export_diffusers(files.folder / "model", files.folder / "other"), Error);
  const CodecNetwork ours(CodecConfig(), 4);
  save_model(files.folder / "ours", "codec", CodecConfig().to_json(), Json::array(),
             named_tensors(ours.parameters), true);
  EXPECT_THROW(plan_export_diffusers(files.folder / "ours", ""), Error);
}

TEST(ImportDiffusers, OlderSpellingsAreRead) {
  const Files files;
  const std::string folder = files.write(),
                    weights = folder + "/vqvae/diffusion_pytorch_model.safetensors";
  const SafetensorsFile file(weights);
  std::vector<NamedTensor> tensors;
  for (std::string name : file.names()) {
    const at::Tensor tensor = load_tensor(file, name);
    for (const auto& [newer, older] : std::vector<std::pair<std::string, std::string>>{
             {"to_q", "query"}, {"to_k", "key"}, {"to_v", "value"}, {"to_out.0", "proj_attn"}}) {
      const size_t at = name.find("." + newer + ".");
      if (at != std::string::npos) name.replace(at + 1, newer.size(), older);
    }
    tensors.push_back({name, tensor});
  }
  save_model(weights, "any", Json::object(), Json::array(), tensors, true);
  const Import import = plan_import(folder, {});
  write_planned(*import.codec, files.folder / "codec2", Json::array(), false);
  expect_same(files.folder / "codec", files.folder / "codec2");
}

TEST(ImportDiffusers, AnotherNetworkIsRefusedByTheMemberThatSaysSo) {
  const Files files;
  const std::string folder = files.write();
  const auto error_with = [&](const std::string& path, const char* member, const Json& value) {
    const Bytes before = read_file(folder + path);
    Json json = parse_json(as_text(before), path);
    json[member] = value;
    write_file(folder + path, as_bytes(json.dump()), true);
    std::string message;
    try {
      plan_import(folder, {});
    } catch (const Error& error) {
      message = error.message();
    }
    write_file(folder + path, before, true);
    return message;
  };
  EXPECT_EQ(error_with("/transformer/config.json", "activation_fn", "geglu"),
            "activation_fn is \"geglu\"; only \"geglu-approximate\" is known here");
  EXPECT_EQ(error_with("/transformer/config.json", "activation_fn", Json()),
            "activation_fn is null; only \"geglu-approximate\" is known here");
  EXPECT_EQ(error_with("/transformer/config.json", "num_layers", -1),
            "num_layers is -1, not a size");
  EXPECT_NE(error_with("/transformer/config.json", "num_layers", 1), "");
  EXPECT_NE(error_with("/transformer/config.json", "num_layers", 1000000), "");
  EXPECT_NE(error_with("/transformer/config.json", "num_attention_heads", 2000000000), "");
  EXPECT_NE(error_with("/vqvae/config.json", "norm_num_groups", 7), "");
  EXPECT_NE(error_with("/vqvae/config.json", "block_out_channels", {8, 12, 16}), "");
  EXPECT_NE(error_with("/vqvae/config.json", "block_out_channels", {8, 0}), "");
  EXPECT_NE(error_with("/scheduler/scheduler_config.json", "num_vec_classes", 5), "");
  EXPECT_NE(error_with("/text_encoder/config.json", "hidden_act", "gelu"), "");
  EXPECT_NE(error_with("/tokenizer/tokenizer_config.json", "pad_token", "<|endoftext|>"), "");
  EXPECT_NE(error_with("/model_index.json", "_class_name", "StableDiffusionPipeline"), "");
  EXPECT_EQ(error_with("/model_index.json", "note", 1), "");
}

}  // namespace
}  // namespace vq
