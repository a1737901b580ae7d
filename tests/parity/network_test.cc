// The imported networks beside the reference's: tokenizer, text tower, denoiser, codec, and whole
// sampling runs, which are our own pieces from the first grid to the picture.
//
// The import is the one that vq-import does: it reads the pipeline's folder and writes our files,
// and the networks are loaded from these.

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "lib/codec/codec.h"
#include "lib/codec/pixels.h"
#include "lib/diffusion/model.h"
#include "lib/diffusion/posterior.h"
#include "lib/sampling/guidance.h"
#include "lib/sampling/truncation.h"
#include "lib/weights/import.h"
#include "tests/parity/fixture.h"
#include "tests/unit/temp_folder.h"

namespace vq::parity {
namespace {

constexpr double kTolerance = 1e-5;

struct Imported {
  explicit Imported(const Fixture& fixture) {
    const TempFolder folder;
    const Import import = plan_import(fixture.folder + "/pipeline", {});
    const std::string model_path = folder / "model.safetensors",
                      codec_path = folder / "codec.safetensors";
    write_planned(*import.model, model_path, Json::array(), false);
    write_planned(*import.codec, codec_path, Json::array(), false);
    model = DiffusionModel::load(model_path, at::kCPU);
    codec = std::make_unique<Codec>(Codec::load(codec_path));
  }
  std::unique_ptr<DiffusionModel> model;
  std::unique_ptr<Codec> codec;

  Features features(const std::vector<std::string>& prompts) const {
    std::vector<at::Tensor> ids;
    for (const std::string& prompt : prompts)
      ids.push_back(at::tensor(model->condition().prepare_caption(prompt), at::kLong));
    return model->condition()(at::stack(ids));
  }
  // (B L, K) log p(x_0 | x_t) at the reference's t.
  at::Tensor log_p(const at::Tensor& x_t, int time, const Features& features) const {
    const at::Tensor row =
        at::full({x_t.size(0)}, model->schedule().table_row(time + 1), at::kLong);
    const at::Tensor logits = model->denoiser().head(model->denoiser().hidden(x_t, row, features));
    return at::log_softmax(logits.to(at::kDouble), -1).to(at::kFloat).flatten(0, 1);
  }
};

std::vector<std::string> prompts_of(const Fixture& fixture, const std::string& name) {
  std::vector<std::string> prompts;
  for (const Json& index : fixture.refs["cases"][name]["prompts"])
    prompts.push_back(fixture.refs["prompts"][index.get<size_t>()]);
  return prompts;
}

TEST_P(Parity, TextIdsAndFeaturesAreTheReferences) {
  const Fixture fixture(GetParam());
  const Imported ours(fixture);
  const auto prompts = fixture.refs["prompts"].get<std::vector<std::string>>();
  const at::Tensor want = fixture.tensor("text.ids").to(at::kLong);
  for (size_t i = 0; i < prompts.size(); ++i) {
    const auto ids = ours.model->condition().prepare_caption(prompts[i]);
    EXPECT_TRUE(at::equal(at::tensor(ids, at::kLong), want[static_cast<int64_t>(i)])) << prompts[i];
  }
  const at::NoGradGuard no_grad;
  const double off = largest(ours.features(prompts).context - fixture.tensor("text.cond"));
  EXPECT_LT(off, kTolerance);
  measured("text features", off);
}

TEST_P(Parity, DenoiserIsTheReferences) {
  const at::NoGradGuard no_grad;
  const Fixture fixture(GetParam());
  const Imported ours(fixture);
  for (const Case& c : cases(fixture)) {
    const at::Tensor x_t = c.x_t.view({-1, fixture.length});
    const Features features = ours.features(prompts_of(fixture, c.name));
    const double off = largest(ours.log_p(x_t, c.time, features) - c.log_cond);
    EXPECT_LT(off, kTolerance) << c.name;
    measured("log p(x_0), " + c.name, off);
    if (!c.log_null.defined()) continue;
    const Features null = ours.model->condition().null(x_t.size(0));
    const double null_off = largest(ours.log_p(x_t, c.time, null) - c.log_null);
    EXPECT_LT(null_off, kTolerance) << c.name;
    measured("log p(x_0) of the null, " + c.name, null_off);
  }
}

TEST_P(Parity, CodecIsTheReferences) {
  const at::NoGradGuard no_grad;
  const Fixture fixture(GetParam());
  const Imported ours(fixture);
  const CodecNetwork& network = ours.codec->network();
  const at::Tensor codes = fixture.tensor("vq.codes").to(at::kLong);
  const at::Tensor vectors = fixture.tensor("vq.embedded");
  const int64_t height = vectors.size(2), width = vectors.size(3);
  const at::Tensor rows = network.codes.index_select(0, codes.flatten());
  EXPECT_TRUE(at::equal(rows_to_cells(rows, codes.size(0), height, width), vectors));
  const double decoded = largest(network.picture(vectors) - fixture.tensor("vq.decoded"));
  EXPECT_LT(decoded, kTolerance);
  const at::Tensor bytes = to_bytes(ours.codec->decode(codes, height, width));
  EXPECT_TRUE(at::equal(bytes, fixture.tensor("vq.image_u8_round")));

  const at::Tensor input = fixture.tensor("vq.enc_input");
  const double latent = largest(network.latent(input) - fixture.tensor("vq.enc_latents"));
  EXPECT_LT(latent, kTolerance);
  EXPECT_TRUE(at::equal(ours.codec->encode(input), fixture.tensor("vq.enc_codes").to(at::kLong)));
  measured("codec, decoded", decoded);
  measured("codec, latents", latent);
}

// One step of a run, from the grids before it.
Draw step_of(const Imported& ours, const Fixture& fixture, const WholeRun& run, int time,
             const at::Tensor& x, const Features& features, Noise& noise) {
  const Condition& condition = ours.model->condition();
  at::Tensor log_p = ours.log_p(x, time, features);
  if (run.guidance > 1) {
    const at::Tensor log_null = ours.log_p(x, time, condition.null(x.size(0)));
    log_p = guide(log_p, log_null, run.guidance);
  }
  const at::Tensor guess = truncate(log_p, {.top_p = run.truncation}).log();
  const Transition q = ours.model->schedule().between(time, time + 1);
  const int64_t classes = noise_classes(fixture, time);
  const at::Tensor log_x = log_posterior(q, guess, x.flatten()).narrow(1, 0, classes);
  return draw(log_x, noise.gumbel(x.size(0), classes, fixture.length));
}

TEST_P(Parity, WholeRunsAreReplayedGridForGrid) {
  const at::NoGradGuard no_grad;
  const Fixture fixture(GetParam());
  const Imported ours(fixture);
  for (const WholeRun& run : runs(fixture)) {
    Noise noise(run.noise_seed);
    const Features features = ours.features(run.prompts);
    at::Tensor x = run.before(0, fixture.codes);
    double closest = 1e9;
    int different = 0;
    for (int step = 0; step < run.steps; ++step) {
      const Draw drawn = step_of(ours, fixture, run, run.steps - 1 - step, x, features, noise);
      closest = std::min(closest, drawn.margin);
      x = drawn.tokens.view_as(x);
      different += !at::equal(x, run.samples[step]);
    }
    EXPECT_EQ(different, 0) << run.name << ": steps with other grids";
    // The closest call of the whole run was as close for the reference.
    EXPECT_NEAR(closest, run.margin, 1e-4) << run.name;
    const at::Tensor want = fixture.tensor("run." + run.name + ".image").mul(255).round();
    const int64_t side = ours.model->config().denoiser.grid_height;
    const at::Tensor bytes =
        to_bytes(ours.codec->decode(x, side, fixture.length / side)).to(at::kFloat);
    EXPECT_LE(largest(bytes - want), 1) << run.name;
    measured("closest call, " + run.name, std::abs(closest - run.margin));
    measured("picture, grey levels, " + run.name, largest(bytes - want));
  }
}

}  // namespace
}  // namespace vq::parity
