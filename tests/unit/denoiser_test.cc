#include "lib/diffusion/denoiser.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "formats/error.h"

namespace vq {
namespace {

DenoiserConfig config() {
  DenoiserConfig c;
  c.layers = 2, c.width = 32, c.heads = 2, c.grid_height = 3, c.grid_width = 5,
  c.codebook_size = 11, c.timesteps = 10;
  return c;
}

TEST(Denoiser, PredictsTokensAndNeverMask) {
  Parameters p(1);
  const Denoiser d(p, config());
  const at::Tensor x = at::randint(12, {4, 15}, at::kLong),
                   row = at::tensor({0, 1, 5, 9}, at::kLong);
  const at::Tensor hidden = d.hidden(x, row, {});
  EXPECT_EQ(hidden.sizes(), (at::IntArrayRef{4, 15, 32}));
  EXPECT_EQ(d.head(hidden).sizes(), (at::IntArrayRef{4, 15, 11}));
  EXPECT_EQ(d.mask(), 11);
}

TEST(Denoiser, TheHeadOfSomeRowsIsSomeOfTheHead) {
  Parameters p(1);
  const Denoiser d(p, config());
  const at::Tensor hidden =
      d.hidden(at::full({2, 15}, 11, at::kLong), at::tensor({3, 3}, at::kLong), {});
  const at::Tensor all = d.head(hidden).flatten(0, 1);
  const at::Tensor some = at::tensor({0, 7, 29}, at::kLong);
  EXPECT_TRUE(
      at::equal(d.head(hidden.flatten(0, 1).index_select(0, some)), all.index_select(0, some)));
}

TEST(Denoiser, PositionsDiffer) {
  Parameters p(1);
  const Denoiser d(p, config());
  const at::Tensor logits =
      d.head(d.hidden(at::full({1, 15}, 11, at::kLong), at::tensor({3}, at::kLong), {}))[0];
  for (int64_t l = 1; l < 15; ++l)
    EXPECT_FALSE(at::allclose(logits[0], logits[l], 1e-6, 1e-7)) << l;
}

TEST(Denoiser, LargerPositionTablesAreCountedThrough) {
  const at::NoGradGuard no_grad;
  DenoiserConfig c = config();
  c.layers = 0, c.position_height = 4, c.position_width = 7;
  Parameters p(1);
  const Denoiser d(p, c);
  const at::Tensor x = at::full({1, 15}, 11, at::kLong);
  const at::Tensor hidden = d.hidden(x, at::tensor({3}, at::kLong), {})[0];
  const at::Tensor token = p.get("embedding.token.weight")[11];
  for (int64_t l = 0; l < 15; ++l) {
    const at::Tensor want =
        token + (p.get("embedding.row.weight")[l / 7] + p.get("embedding.column.weight")[l % 7]);
    EXPECT_TRUE(at::equal(hidden[l], want)) << l;
  }
  c.position_height = 2;
  Parameters q(1);
  EXPECT_THROW(Denoiser(q, c), Error);
}

TEST(Denoiser, ConvolutionsSeeNeighboursAndNotTheBatch) {
  const at::NoGradGuard no_grad;
  DenoiserConfig c = config();
  c.convolutions = true;
  Parameters p(1);
  const Denoiser d(p, c);
  const at::Tensor x = at::randint(12, {3, 15}, at::kLong), row = at::zeros({3}, at::kLong);
  const at::Tensor all = d.hidden(x, row, {});
  for (int64_t b = 0; b < 3; ++b)
    EXPECT_TRUE(at::equal(d.hidden(x.narrow(0, b, 1), row.narrow(0, b, 1), {})[0], all[b]));
}

TEST(Denoiser, ConfigurationTravelsAsJson) {
  DenoiserConfig c = config();
  EXPECT_FALSE(c.to_json().contains("mlp"));  // as files had it before there was a choice
  c.convolutions = c.mean_null = true, c.position_height = 32, c.position_width = 16;
  EXPECT_EQ(DenoiserConfig::from_json(c.to_json(), "here").to_json(), c.to_json());
  Json unknown = c.to_json();
  unknown["mlp"] = "mixture";
  EXPECT_THROW(DenoiserConfig::from_json(unknown, "here"), Error);
  c = config();
  c.condition = ConditionKind::label, c.label_rows = 4;
  EXPECT_EQ(DenoiserConfig::from_json(c.to_json(), "here").to_json(), c.to_json());
  Json broken = c.to_json();
  broken.erase("heads");
  EXPECT_THROW(DenoiserConfig::from_json(broken, "here"), Error);
  c.heads = 5;
  Parameters p(1);
  EXPECT_THROW(Denoiser(p, c), Error);
}

}  // namespace
}  // namespace vq
