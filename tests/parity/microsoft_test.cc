// Checkpoints in the layout of microsoft/VQ-Diffusion, imported, beside the arithmetic that
// make_microsoft.py writes down from its description: denoisers of classes, of captions and of
// neither, and every codec of theirs.

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "formats/error.h"
#include "lib/codec/codec.h"
#include "lib/diffusion/model.h"
#include "lib/weights/import.h"
#include "tests/parity/fixture.h"
#include "tests/unit/temp_folder.h"

namespace vq::parity {
namespace {

constexpr double kTolerance = 1e-5;

struct Checkpoints {
  explicit Checkpoints(const std::string& folder)
      : folder(folder), refs(folder + "/refs.safetensors") {
    std::ifstream in(folder + "/microsoft.json", std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    list = parse_json(text, folder)["checkpoints"];
  }
  at::Tensor tensor(const std::string& name) const { return load_tensor(refs, name); }

  std::string folder;
  SafetensorsFile refs;
  Json list;
};

ImportOptions options_of(const Checkpoints& all, const Json& what) {
  const Json& given = what["options"];
  ImportOptions o;
  o.heads = given.value("heads", 0), o.text_heads = given.value("text_heads", 0);
  o.groups = given.value("groups", 0);
  o.null = given.value("null", "auto");
  if (given.contains("code_subset"))
    o.code_subset = all.folder + "/" + given["code_subset"].get<std::string>();
  if (given.contains("vocabulary")) o.vocabulary = given["vocabulary"];
  return o;
}

// log p(x_0 | x_t) for what the reference was given.
double denoiser_off(const Checkpoints& all, const DiffusionModel& model, const std::string& name) {
  Features features;
  if (all.refs.contains(name + ".label"))
    features.label = all.tensor(name + ".label").to(at::kLong);
  if (all.refs.contains(name + ".context")) features.context = all.tensor(name + ".context");
  const at::Tensor hidden = model.denoiser().hidden(
      all.tensor(name + ".x_t").to(at::kLong), all.tensor(name + ".t").to(at::kLong), features);
  const at::Tensor log_p = at::log_softmax(model.denoiser().head(hidden).to(at::kDouble), -1);
  return largest(log_p - all.tensor(name + ".log_p").to(at::kDouble));
}

void check_model(const Checkpoints& all, const Json& what, const Import& import,
                 const std::string& name) {
  const TempFolder folder;
  write_planned(*import.model, folder / "model", Json::array(), false);
  const auto model = DiffusionModel::load(folder / "model", at::kCPU);
  const double off = denoiser_off(all, *model, name);
  EXPECT_LT(off, kTolerance) << name;
  measured("log p(x_0), " + name, off);
  const DenoiserConfig& d = model->config().denoiser;
  EXPECT_EQ(Json({d.grid_height, d.grid_width}), what["grid"]);
  if (!all.refs.contains(name + ".alpha_bar")) return;
  const at::Tensor alpha = all.tensor(name + ".alpha_bar");
  for (int t = 1; t <= model->schedule().timesteps(); ++t)
    EXPECT_NEAR(model->schedule().alpha_bar(t), alpha[t - 1].item<double>(), 1e-15) << t;
  if (all.refs.contains(name + ".null")) {
    EXPECT_TRUE(at::equal(model->condition().null(1).context[0], all.tensor(name + ".null")));
    EXPECT_EQ(model->condition().prepare_caption("teddy bear playing in the pool")[1], 11798);
    EXPECT_TRUE(model->condition()(at::full({1, 77}, 49406, at::kLong))
                    .context.isfinite()
                    .all()
                    .item<bool>());
  } else if (d.condition == ConditionKind::label) {
    // The reference's last row is the null: 10 is beyond the ten classes, whichever null it is.
    const Features null = model->condition().null(1);
    EXPECT_EQ(null.label.item<int64_t>(), 10);
  }
}

void check_codec(const Checkpoints& all, const Json& what, const Import& import,
                 const std::string& name) {
  const TempFolder folder;
  write_planned(*import.codec, folder / "codec", Json::array(), false);
  const Codec codec = Codec::load(folder / "codec");
  if (import.model) {
    EXPECT_EQ(import.model->config["codec"], codec.identity());
  }
  const at::Tensor encoded = codec.encode(all.tensor(name + ".codec.images"));
  EXPECT_TRUE(at::equal(encoded, all.tensor(name + ".codec.encoded").to(at::kLong))) << name;
  const at::Tensor tokens = all.tensor(name + ".codec.tokens").to(at::kLong);
  const double off = largest(codec.decode(tokens, what["grid"][0], what["grid"][1]) -
                             all.tensor(name + ".codec.decoded"));
  EXPECT_LT(off, kTolerance) << name;
  measured("decoded, " + name, off);
}

std::vector<std::string> checkpoint_folders() {
  std::vector<std::string> found;
  for (const std::string& fixture : fixture_folders()) {
    for (const auto& folder : {std::filesystem::path(fixture),
                               std::filesystem::path(fixture).parent_path() / "microsoft",
                               std::filesystem::path(fixture) / "microsoft"}) {
      const bool seen = std::find(found.begin(), found.end(), folder.string()) != found.end();
      if (!seen && std::filesystem::exists(folder / "microsoft.json"))
        found.push_back(folder.string());
    }
  }
  if (found.empty()) found.push_back(fixture_folders().front());
  return found;
}

class Microsoft : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(GetParam() + "/microsoft.json"))
      GTEST_SKIP() << GetParam() << " has no microsoft.json: tests/parity/make.sh makes it";
  }
};

TEST_P(Microsoft, NetworksAndCodecsComputeWhatTheirsDo) {
  const at::NoGradGuard no_grad;
  const Checkpoints all(GetParam());
  for (const Json& what : all.list) {
    const std::string name = what["name"], path = all.folder + "/" + name + ".pth";
    ImportOptions options = options_of(all, what);
    const Import import = plan_import(path, options);
    ASSERT_EQ(import.model.has_value(), what["has_model"].get<bool>()) << name;
    if (import.model) check_model(all, what, import, name);
    check_codec(all, what, import, name);
    if (!what["average"].get<bool>()) continue;
    options.raw = true;
    check_model(all, what, plan_import(path, options), name + ".raw");
  }
}

TEST_P(Microsoft, WithoutItsTableASubsetsCodecIsLeft) {
  const Checkpoints all(GetParam());
  for (const Json& what : all.list) {
    if (!what["options"].contains("code_subset")) continue;
    ImportOptions options = options_of(all, what);
    options.code_subset.clear();
    const Import import =
        plan_import(all.folder + "/" + what["name"].get<std::string>() + ".pth", options);
    EXPECT_FALSE(import.codec);
    EXPECT_EQ(import.model->config["codec"], "");
    EXPECT_FALSE(import.notes.empty());
  }
}

INSTANTIATE_TEST_SUITE_P(Fixtures, Microsoft, ::testing::ValuesIn(checkpoint_folders()),
                         [](const auto& info) { return std::to_string(info.index); });

}  // namespace
}  // namespace vq::parity
