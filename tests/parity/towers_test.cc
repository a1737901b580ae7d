// CLIP's text tower and vocabulary in every form they are published in, given to vq-import beside a
// checkpoint that holds none: features and ids are those of make_towers.py.

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <filesystem>

#include "formats/bytes.h"
#include "lib/diffusion/model.h"
#include "lib/weights/import.h"
#include "lib/weights/model_file.h"
#include "tests/parity/fixture.h"
#include "tests/unit/temp_folder.h"

namespace vq::parity {
namespace {

constexpr double kFeatures = 1e-5;

struct TowerFixture {
  explicit TowerFixture(std::string folder)
      : folder(std::move(folder)),
        list(parse_json(as_text(read_file(this->folder + "/towers.json")), this->folder)),
        refs(this->folder + "/refs.safetensors") {}

  ImportOptions options() const {
    ImportOptions o;
    o.heads = list["heads"];
    o.vocabulary = folder + "/vocabulary.txt.gz";
    return o;
  }
  Import plan(const ImportOptions& options) const {
    return plan_import(folder + "/bare.pth", options);
  }
  // What a model written as planned hears of the fixture's ids.
  at::Tensor features(const Import& import) const {
    const TempFolder place;
    write_planned(*import.model, place / "model", Json::array(), false);
    const auto model = DiffusionModel::load(place / "model", at::kCPU);
    return model->condition()(load_tensor(refs, "ids")).context;
  }

  std::string folder;
  Json list;
  SafetensorsFile refs;
};

// OpenAI's tower computes in half precision, where every other order of a sum rounds otherwise: its
// arithmetic is compared in single precision, and the half's distance from it with the peer's own.
void check_half(const TowerFixture& fixture, Import& import, const std::string& file,
                const at::Tensor& wanted) {
  const at::Tensor peers = load_tensor(fixture.refs, file + ".half") - wanted;
  const at::Tensor ours = fixture.features(import) - wanted;
  const double ratio = (ours.norm() / peers.norm()).item<double>();
  EXPECT_LT(ratio, 1.2) << file;
  EXPECT_GT(ratio, 0.8) << file;  // it does compute in half precision
  measured("half's error beside the peer's own, " + file, ratio);
  import.model->config["condition"]["text"]["precision"] = "fp32";
}

std::string towers_folder() {
  for (const std::string& fixture : fixture_folders()) {
    for (const auto& folder : {std::filesystem::path(fixture) / "towers",
                               std::filesystem::path(fixture).parent_path() / "towers"}) {
      if (std::filesystem::exists(folder / "towers.json")) return folder.string();
    }
  }
  return "";
}

class Towers : public ::testing::Test {
 protected:
  void SetUp() override {
    if (towers_folder().empty())
      GTEST_SKIP() << "there is no towers.json: tests/parity/make.sh makes it";
  }
};

TEST_F(Towers, FeaturesAreThoseOfTheirOwnPrograms) {
  const at::NoGradGuard no_grad;
  const TowerFixture fixture(towers_folder());
  ASSERT_GE(fixture.list["towers"].size(), 10u);
  for (const Json& tower : fixture.list["towers"]) {
    const std::string file = tower["file"];
    ImportOptions options = fixture.options();
    options.text_tower = fixture.folder + "/" + file;
    options.text_heads = tower["options"].value("text_heads", 0);
    Import import = fixture.plan(options);
    const at::Tensor wanted = load_tensor(fixture.refs, file);
    if (tower["half"].get<bool>()) check_half(fixture, import, file, wanted);
    const double off = largest(fixture.features(import) - wanted);
    EXPECT_LT(off, kFeatures) << file;
    measured("text features, " + file, off);
  }
}

TEST_F(Towers, VocabulariesOfEveryFormAreTheSame) {
  const TowerFixture fixture(towers_folder());
  const at::Tensor ids = load_tensor(fixture.refs, "ids");
  ImportOptions options = fixture.options();
  options.text_tower = fixture.folder + "/lone.safetensors";
  for (const std::string form : fixture.list["vocabularies"]) {
    options.vocabulary = fixture.folder + "/" + form;
    const Import import = fixture.plan(options);
    const TempFolder place;
    write_planned(*import.model, place / "model", Json::array(), false);
    const auto model = DiffusionModel::load(place / "model", at::kCPU);
    for (int64_t i = 0; i < ids.size(0); ++i) {
      const auto ours = model->condition().prepare_caption(fixture.list["captions"][i]);
      EXPECT_TRUE(at::equal(at::tensor(ours), ids[i])) << form << ", caption " << i;
    }
  }
}

}  // namespace
}  // namespace vq::parity
