#include "lib/diffusion/denoiser.h"

#include <ATen/ATen.h>
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

TEST(Denoiser, ConfigurationTravelsAsJson) {
  DenoiserConfig c = config();
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
