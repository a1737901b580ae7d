#include "lib/weights/import_microsoft.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "formats/error.h"
#include "lib/codec/codebook.h"
#include "lib/codec/codec.h"
#include "lib/diffusion/model.h"
#include "lib/weights/import_codec.h"
#include "lib/weights/import_model.h"
#include "lib/weights/microsoft_names.h"
#include "tests/unit/temp_folder.h"

namespace vq {
namespace {

// Our tensors under their names: what an import has to undo.
std::vector<NamedTensor> renamed(const Parameters& network, const TheirNames& theirs) {
  std::vector<NamedTensor> tensors;
  for (const auto& entry : network.entries()) {
    const auto names = theirs(entry.name);
    const auto parts = entry.tensor.detach().chunk(static_cast<int64_t>(names.size()), 0);
    for (size_t i = 0; i < names.size(); ++i) tensors.push_back({names[i], parts[i].clone()});
  }
  return tensors;
}

DiffusionModelConfig config_of(ConditionKind kind, bool mean = false) {
  DiffusionModelConfig config;
  DenoiserConfig& d = config.denoiser;
  d.layers = 2, d.width = 16, d.heads = 2, d.grid_height = d.grid_width = 4, d.codebook_size = 12;
  d.timesteps = 10, d.convolutions = true, d.mean_null = mean;
  d.position_height = d.position_width = 8;
  config.condition.kind = kind;
  if (kind == ConditionKind::label) config.condition.classes = {"0", "1", "2"};
  return config;
}

struct Checkpoint {
  explicit Checkpoint(const DiffusionModelConfig& config) : model(config, std::nullopt, 7) {
    const at::NoGradGuard no_grad;
    for (const auto& entry : model.parameters().entries()) {
      at::Tensor t = entry.tensor;
      t.normal_();
    }
    for (const char* prefix : {"model.transformer.", "ema."}) {
      const NameMap map = microsoft_denoiser_names(config.condition.kind, true);
      const bool average = std::string(prefix) == "ema.";
      for (NamedTensor& t : renamed(model.parameters(), [&](const std::string& ours) {
             return their_names(map, ours);
           })) {
        tensors.push_back({prefix + t.name, average ? t.tensor : t.tensor + 1});
      }
      tensors.push_back({prefix + std::string("Lt_count"), at::ones(10)});
    }
  }
  Import plan(const ImportOptions& options) {
    save_model(folder / "source", "", Json::object(), Json::array(), tensors, true);
    return plan_import(folder / "source", options);
  }
  std::unique_ptr<DiffusionModel> load(const Import& import) {
    write_planned(*import.model, folder / "ours", Json::array(), true);
    return DiffusionModel::load(folder / "ours", at::kCPU);
  }
  TempFolder folder;
  DiffusionModel model;
  std::vector<NamedTensor> tensors;
};

ImportOptions small() {
  ImportOptions options;
  options.heads = 2, options.grid_height = options.grid_width = 4;
  return options;
}

void expect_weights(const DiffusionModel& ours, DiffusionModel& wanted, double plus) {
  for (const auto& entry : wanted.parameters().entries()) {
    const at::Tensor got = const_cast<DiffusionModel&>(ours).parameters().get(entry.name);
    EXPECT_TRUE(at::equal(got, entry.tensor.detach() + plus)) << entry.name;
  }
}

TEST(ImportMicrosoft, TheAverageIsTakenUnlessTheWeightsAreAskedFor) {
  for (const auto kind : {ConditionKind::none, ConditionKind::label}) {
    Checkpoint source(config_of(kind));
    ImportOptions options = small();
    expect_weights(*source.load(source.plan(options)), source.model, 0);
    options.raw = true;
    expect_weights(*source.load(source.plan(options)), source.model, 1);
  }
}

TEST(ImportMicrosoft, SizesAreReadOffTheTensors) {
  Checkpoint source(config_of(ConditionKind::label));
  const auto ours = source.load(source.plan(small()));
  Json want = source.model.config().to_json(), got = ours->config().to_json();
  want.erase("suggested"), got.erase("suggested");
  EXPECT_EQ(got, want);
  EXPECT_EQ(ours->config().suggested.at("guidance"), 1.5);
  EXPECT_EQ(ours->schedule().alpha_bar(1), 0.99999);
}

TEST(ImportMicrosoft, AMeanNullHasNoRow) {
  Checkpoint source(config_of(ConditionKind::label, true));
  ImportOptions options = small();
  options.null = "mean";
  options.classes = {"cat", "dog", "owl"};
  const auto ours = source.load(source.plan(options));
  EXPECT_TRUE(ours->config().denoiser.mean_null);
  EXPECT_EQ(ours->condition().parse_label("owl"), 2);
  options.classes.pop_back();
  EXPECT_THROW(source.plan(options), Error);
  options.null = "learned";  // then there are two classes and a null
  EXPECT_EQ(source.plan(options).model->config["condition"]["classes"].size(), 2u);
}

TEST(ImportMicrosoft, StoredSchedulesAreKept) {
  Checkpoint source(config_of(ConditionKind::none));
  const at::Tensor gamma = at::arange(1, 11, at::kDouble) / 11;
  source.tensors.push_back(
      {"ema.log_cumprod_at", at::cat({(1 - gamma).log(), at::zeros(1)}).to(at::kFloat)});
  source.tensors.push_back(
      {"ema.log_cumprod_ct", at::cat({gamma.log(), at::zeros(1) - INFINITY}).to(at::kFloat)});
  const auto ours = source.load(source.plan(small()));
  for (int t = 1; t <= 10; ++t) EXPECT_NEAR(ours->schedule().gamma_bar(t), t / 11.0, 1e-7);
  EXPECT_EQ(ours->config().schedule, "stored");
}

TEST(ImportMicrosoft, WhatNobodyKnowsIsNamed) {
  Checkpoint source(config_of(ConditionKind::none));
  source.tensors.push_back({"ema.transformer.blocks.0.extra.weight", at::ones(3)});
  source.tensors.push_back({"something", at::ones(3)});
  ImportOptions options = small();
  try {
    source.plan(options);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(error.message().find("has 2 tensors"), std::string::npos) << error.message();
    EXPECT_NE(error.message().find("something"), std::string::npos);
  }
  options.allow_unused = {"some*", "ema.*.extra.weight"};
  EXPECT_NO_THROW(source.plan(options));
  source.tensors.erase(source.tensors.begin());
  options.raw = true;  // model's first tensor is gone, and the average is not asked
  EXPECT_THROW(source.plan(options), Error);
}

TEST(ImportMicrosoft, SidesOfEmptyTensorsAreNotBelieved) {
  Checkpoint source(config_of(ConditionKind::label));
  for (NamedTensor& t : source.tensors) {
    if (t.name == "ema.transformer.blocks.0.ln2.emb.weight") t.tensor = at::empty({1LL << 40, 0});
  }
  EXPECT_THROW(source.plan(small()), Error);
  for (NamedTensor& t : source.tensors) {
    if (t.name == "ema.transformer.blocks.0.ln1.emb.weight") t.tensor = at::empty({1LL << 40, 0});
  }
  EXPECT_THROW(source.plan(small()), Error);
}

TEST(ImportMicrosoft, HeadsAndGridMustFit) {
  Checkpoint source(config_of(ConditionKind::none));
  ImportOptions options = small();
  options.heads = 3;
  EXPECT_THROW(source.plan(options), Error);
  options = small();
  options.grid_height = options.grid_width = 9;  // 81 places, and tables for 64
  EXPECT_THROW(source.plan(options), Error);
}

// ---- codecs

CodecConfig taming_config(const std::string& quantiser, int64_t full) {
  CodecConfig c;
  c.image_size = 256, c.patch = 1, c.channels = 4, c.multipliers = {1, 2}, c.encoder_blocks = 2;
  c.decoder_blocks = 3, c.middle_blocks = 2, c.linear = false, c.attention = true, c.groups = 4;
  c.latent = 8, c.code_width = 8, c.codes = 5, c.full_codes = full, c.quantiser = quantiser;
  return c;
}

struct CodecSource {
  explicit CodecSource(const CodecConfig& config, const std::string& codebook)
      : network(config, 3) {
    const at::NoGradGuard no_grad;
    network.codes.copy_(at::randn(network.codes.sizes()));
    for (const auto& entry : network.parameters.entries()) {
      if (entry.name == kTokenOfCodeName) continue;
      const std::string name = entry.name == kCodebookName ? codebook : entry.name;
      tensors.push_back({"state_dict." + name, entry.tensor.detach()});
    }
  }
  Import plan(const ImportOptions& options) {
    save_model(folder / "source", "", Json::object(), Json::array(), tensors, true);
    return plan_import(folder / "source", options);
  }
  Codec load(const Import& import) {
    write_planned(*import.codec, folder / "ours", Json::array(), true);
    return Codec::load(folder / "ours");
  }
  TempFolder folder;
  CodecNetwork network;
  std::vector<NamedTensor> tensors;
};

TEST(ImportCodec, EveryQuantiserIsRecognised) {
  ImportOptions options;
  options.groups = 4;
  const std::vector<std::pair<std::string, std::string>> kinds = {
      {"nearest", "quantize.embedding.weight"},
      {"nearest", "quantize.embedding"},
      {"logits", "quantize.embed.weight"}};
  for (const auto& [quantiser, codebook] : kinds) {
    CodecSource source(taming_config(quantiser, 0), codebook);
    source.tensors.push_back({"state_dict.loss.lin.weight", at::ones(2)});
    if (codebook == "quantize.embedding")
      source.tensors.push_back({"state_dict.quantize.cluster_size", at::ones(5)});
    const Import import = source.plan(options);
    EXPECT_FALSE(import.model);
    EXPECT_EQ(import.codec->config, source.network.config.to_json());
    const Codec ours = source.load(import);
    EXPECT_EQ(ours.identity(), codebook_identity(source.network.codes));
    const at::Tensor images = at::rand({2, 3, 8, 8}) * 2 - 1;
    const at::NoGradGuard no_grad;
    EXPECT_TRUE(at::equal(ours.network().latent(images), source.network.latent(images)));
    if (quantiser == "nearest") {
      EXPECT_THROW(ours.log_scores(images), Error);
      continue;
    }
    const at::Tensor scores = ours.log_scores(images);
    EXPECT_TRUE(at::equal(scores.argmax(1), ours.encode(images).flatten()));
    EXPECT_TRUE(at::allclose(scores.exp().sum(1), at::ones(scores.size(0))));
  }
}

TEST(ImportCodec, ASubsetStandsForItsFirstCodes) {
  ImportOptions options;
  options.groups = 4;
  CodecSource source(taming_config("nearest", 9), "quantize.embedding.weight");
  const at::Tensor table = at::tensor({0, 0, 1, 0, 2, 0, 3, 4, 0}, at::kLong);
  save_model(source.folder / "table", "", Json::object(), Json::array(), {{"tensor", table}},
             false);
  options.code_subset = source.folder / "table";
  const Import import = source.plan(options);
  const Codec ours = source.load(import);
  EXPECT_EQ(ours.config().codes, 5);
  const at::Tensor first = at::tensor({0, 2, 4, 6, 7}, at::kLong);
  EXPECT_EQ(ours.identity(), codebook_identity(source.network.codes.index_select(0, first)));
  const at::Tensor images = at::rand({2, 3, 8, 8}) * 2 - 1;
  const at::NoGradGuard no_grad;
  const at::Tensor nearest =
      nearest_code(cells_to_rows(source.network.latent(images)), source.network.codes);
  EXPECT_TRUE(at::equal(ours.encode(images).flatten(), table.index_select(0, nearest)));

  for (const auto& wrong : {at::tensor({0, 0, 1, 0, 2, 0, 4, 4, 0}, at::kLong),  // none becomes 3
                            at::tensor({0, -1, 1, 0, 2, 0, 3, 4, 0}, at::kLong),
                            table.narrow(0, 0, 8), table.to(at::kInt)}) {
    save_model(source.folder / "table", "", Json::object(), Json::array(), {{"tensor", wrong}},
               true);
    EXPECT_THROW(source.plan(options), Error);
  }
}

TEST(ImportCodec, AttentionElsewhereIsAnError) {
  ImportOptions options;
  options.groups = 4;
  CodecSource source(taming_config("nearest", 0), "quantize.embedding.weight");
  source.tensors.push_back({"state_dict.encoder.down.0.attn.0.q.weight", at::ones({4, 4, 1, 1})});
  EXPECT_THROW(source.plan(options), Error);
}

TEST(ImportSchedule, LogarithmsOfTheReleasedScheduleAreThatSchedule) {
  const ImportedSchedule linear =
      ImportedSchedule::ramps(100, 0.99999, 0.000009, 0.000009, 0.99999);
  const Schedule named = Schedule::make("linear", 100, 50);
  std::vector<double> log_alpha, log_gamma;
  for (size_t t = 0; t < 100; ++t) {
    EXPECT_EQ(linear.alpha_bar[t], named.alpha_bar(static_cast<double>(t + 1)));
    EXPECT_EQ(linear.gamma_bar[t], named.gamma_bar(static_cast<double>(t + 1)));
    log_alpha.push_back(static_cast<float>(std::log(linear.alpha_bar[t])));
    log_gamma.push_back(static_cast<float>(std::log(linear.gamma_bar[t])));
  }
  const auto again = ImportedSchedule::of_logarithms(log_alpha, log_gamma, 50);
  EXPECT_EQ(again.name, "linear");
  EXPECT_EQ(again.alpha_bar, linear.alpha_bar);
  log_alpha[50] -= 1e-4;
  EXPECT_EQ(ImportedSchedule::of_logarithms(log_alpha, log_gamma, 50).name, "stored");
  EXPECT_THROW(ImportedSchedule::of_logarithms({NAN}, {0.0}, 50), Error);
}

}  // namespace
}  // namespace vq
