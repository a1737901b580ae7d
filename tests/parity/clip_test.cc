// What the released models listen to, beside those who read it first: ids of CLIP's tokenizers, and
// features of transformers' text model.
//
// The fixture holds a few captions and a tiny tower. VQ_CLIP_REFERENCE names a folder that
// clip/run.sh made: ids.jsonl, thousands of captions; vocabulary.gz; tower/, a tower of the
// released size with random weights.

#include <ATen/ATen.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

#include "formats/bytes.h"
#include "lib/condition/clip_text.h"
#include "lib/condition/clip_tokenizer.h"
#include "lib/weights/model_file.h"
#include "lib/weights/tensor_book.h"
#include "tests/parity/fixture.h"

namespace vq::parity {
namespace {

// A CLIPTextModel as transformers saves it, in our tower: lib/condition/README.md's table.
struct Tower {
  Tower(const std::string& folder, ClipPrecision precision, int64_t layers = 0) {
    const Json json = parse_json(as_text(read_file(folder + "/config.json")), folder);
    config.layers = json.at("num_hidden_layers"), config.width = json.at("hidden_size");
    config.heads = json.at("num_attention_heads"), config.inner = json.at("intermediate_size");
    config.vocabulary = json.at("vocab_size"), config.length = json.at("max_position_embeddings");
    config.precision = precision;
    if (layers > 0) config.layers = layers;  // the first of them
    text = ClipText(parameters, "text", config);
    const bool pickled = !std::filesystem::exists(folder + "/model.safetensors");
    TensorBook file(folder + (pickled ? "/pytorch_model.bin" : "/model.safetensors"));
    const auto put = [&](const std::string& ours, const std::vector<std::string>& theirs) {
      std::vector<at::Tensor> parts;
      for (const std::string& name : theirs) parts.push_back(file.take("text_model." + name));
      at::Tensor to = parameters.get("text." + ours);
      to.copy_(at::cat(parts));
      ++filled;
    };
    const auto put_both = [&](const std::string& ours, const std::string& theirs) {
      for (const char* end : {".weight", ".bias"}) put(ours + end, {theirs + end});
    };
    put("embedding.token.weight", {"embeddings.token_embedding.weight"});
    put("embedding.position.weight", {"embeddings.position_embedding.weight"});
    put_both("norm", "final_layer_norm");
    for (int64_t i = 0; i < config.layers; ++i) {
      const std::string ours = "layers." + std::to_string(i), theirs = "encoder." + ours;
      const std::string attention = theirs + ".self_attn.";
      for (const char* end : {".weight", ".bias"}) {
        put(ours + ".self.qkv" + end,
            {attention + "q_proj" + end, attention + "k_proj" + end, attention + "v_proj" + end});
      }
      put_both(ours + ".norm_self", theirs + ".layer_norm1");
      put_both(ours + ".norm_mlp", theirs + ".layer_norm2");
      put_both(ours + ".self.out", attention + "out_proj");
      put_both(ours + ".mlp.in", theirs + ".mlp.fc1");
      put_both(ours + ".mlp.out", theirs + ".mlp.fc2");
    }
    EXPECT_EQ(filled, parameters.entries().size());
  }

  ClipTextConfig config;
  Parameters parameters;
  ClipText text;
  size_t filled = 0;
};

at::Tensor ids_of(const ClipTokenizer& tokenizer, const Json& captions) {
  std::vector<at::Tensor> rows;
  for (const std::string caption : captions) rows.push_back(at::tensor(tokenizer.ids(caption, 77)));
  return at::stack(rows);
}

TEST_P(Parity, CaptionIdsAreThoseOfBothTokenizers) {
  const Fixture fixture(GetParam());
  const std::string folder = GetParam() + "/pipeline/tokenizer";
  const ClipTokenizer original = ClipTokenizer::open(folder);
  const ClipTokenizer pipelines =
      ClipTokenizer::open(folder, {ClipTooLong::lose_end, ClipExclamation::padding});
  const Json& captions = fixture.refs["prompts"];
  EXPECT_TRUE(at::equal(ids_of(pipelines, captions), fixture.tensor("text.ids").to(at::kLong)));
  // Fixtures of make_diffusers.py have the pipeline's ids alone; clip/run.sh asks the original.
  if (!fixture.has("text.ids_microsoft")) return;
  EXPECT_EQ(original.size(), 49408);
  EXPECT_TRUE(
      at::equal(ids_of(original, captions), fixture.tensor("text.ids_microsoft").to(at::kLong)));
  EXPECT_FALSE(at::equal(ids_of(original, captions), ids_of(pipelines, captions)));
}

// The fixture's weights are of half precision; the reference computes in single.
TEST_P(Parity, CaptionFeaturesAreTheTextModels) {
  const Fixture fixture(GetParam());
  const Tower tower(GetParam() + "/pipeline/text_encoder", ClipPrecision::fp32);
  const at::Tensor ids = fixture.tensor("text.ids").to(at::kLong);
  const double hidden = largest(tower.text.hidden(ids) - fixture.tensor("text.last_hidden"));
  const double features = largest(tower.text(ids) - fixture.tensor("text.cond"));
  EXPECT_LT(hidden, 1e-5);
  EXPECT_LT(features, 1e-5);
  measured("text, last hidden layer", hidden);
  measured("text, features", features);
}

double root_mean_square(const at::Tensor& x) { return x.square().mean().sqrt().item<double>(); }

std::string reference() {
  const char* folder = std::getenv("VQ_CLIP_REFERENCE");
  return folder == nullptr ? "" : folder;
}

TEST(ClipReference, ThousandsOfCaptionsHaveTheOriginalsIds) {
  if (reference().empty())
    GTEST_SKIP() << "VQ_CLIP_REFERENCE is not set; sh tests/parity/clip/run.sh makes it";
  const ClipTokenizer tokenizer = ClipTokenizer::open(reference() + "/vocabulary.gz");
  ASSERT_EQ(tokenizer.size(), 49408);
  std::ifstream file(reference() + "/ids.jsonl");
  std::map<std::string, int> lines, repaired, wrong;
  int all = 0;
  for (std::string line; std::getline(file, line); ++all) {
    const Json record = parse_json(line, "ids.jsonl");
    const std::string kind = record.at("kind"), text = record.at("text");
    std::vector<int64_t> got = tokenizer.all_ids(text);
    ASSERT_EQ(got.front(), tokenizer.start());
    ASSERT_EQ(got.back(), tokenizer.end());
    got = {got.begin() + 1, got.end() - 1};
    ++lines[kind], repaired[kind] += record.contains("plain");
    const std::vector<int64_t> want = record.value("plain", record.at("ids"));
    if (got == want) continue;
    EXPECT_GT(++wrong[kind], 3) << kind << ": " << dump_json(text);  // names the first three
  }
  EXPECT_GT(all, 10000);
  for (const auto& [kind, n] : lines) {
    EXPECT_EQ(wrong[kind], 0) << kind;
    measured(kind + ", captions", n);
    measured(kind + ", of these repaired by ftfy and not by us", repaired[kind]);
  }
}

TEST(ClipReference, ATowerOfTheReleasedSize) {
  if (reference().empty())
    GTEST_SKIP() << "VQ_CLIP_REFERENCE is not set; sh tests/parity/clip/run.sh makes it";
  const std::string folder = reference() + "/tower";
  const SafetensorsFile refs(folder + "/refs.safetensors");
  const at::Tensor ids = load_tensor(refs, "ids");
  for (const int64_t layers : {1, 12}) {
    const std::string which = std::to_string(layers);
    const at::Tensor fp32 = load_tensor(refs, which + ".fp32");
    const at::Tensor fp16 = load_tensor(refs, which + ".fp16");
    const Tower single(folder, ClipPrecision::fp32, layers);
    EXPECT_EQ(single.config.width, 512);
    const double features = largest(single.text(ids) - fp32);
    EXPECT_LT(features, 1e-5);
    measured("ViT-B/32 features, layers " + which + ", fp32", features);
    // A sum in another order rounds to another number of half precision now and then, one in some
    // hundred, and each later layer hands that on: after one layer we are nearer to the peer than
    // its own rounding is large, after twelve about as far.
    const Tower half(folder, ClipPrecision::fp16, layers);
    const at::Tensor ours = half.text(ids);
    const double apart = root_mean_square(ours - fp16), rounding = root_mean_square(fp16 - fp32);
    EXPECT_LT(apart, rounding * (layers == 1 ? 0.5 : 1.5));
    EXPECT_GT(largest(ours - fp32), 10 * features);
    measured("ViT-B/32 features, layers " + which + ", fp16, from the peer's", apart);
    measured("  the peer's fp16 from its fp32", rounding);
    measured("  the same, largest from the peer's", largest(ours - fp16));
  }
}

}  // namespace
}  // namespace vq::parity
