#include "lib/codec/linear_path.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "lib/codec/codec.h"

namespace vq {
namespace {

at::Tensor smooth_images(int64_t count) {
  return at::upsample_bilinear2d(at::rand({count, 3, 4, 4}) * 2 - 1, {16, 16}, false);
}

// Law: what is missed is the variance of the components left out.
TEST(LinearPath, MissesTheEigenvaluesLeftOut) {
  auto images = smooth_images(200);
  auto rows = at::pixel_unshuffle(images, 4).permute({0, 2, 3, 1}).reshape({-1, 48});
  auto centred = (rows - rows.mean(0)).to(at::kDouble);
  auto covariance = centred.t().mm(centred) / static_cast<double>(rows.size(0));
  auto values = at::linalg_eigvalsh(covariance).flip({0});
  for (int64_t width : {1, 6, 20, 48}) {
    Parameters p;
    LinearPath path(p, 4, width);
    path.start(images);
    auto error = (path.out(path.in(images)) - images).pow(2).mean().item<double>();
    auto left_out = values.narrow(0, width, 48 - width).sum().item<double>() / 48;
    EXPECT_NEAR(error, left_out, 1e-6 + 1e-3 * left_out) << width;
  }
}

TEST(LinearPath, CoefficientsHaveMeanSquareOneAndKeepDistances) {
  auto images = smooth_images(100);
  Parameters p;
  LinearPath path(p, 4, 48);
  path.start(images);
  auto z = cells_to_rows(path.in(images));
  EXPECT_NEAR(z.pow(2).mean().item<double>(), 1, 1e-3);
  auto cells = at::pixel_unshuffle(images, 4).permute({0, 2, 3, 1}).reshape({-1, 48});
  const double a =
      (z[0] - z[7]).norm().item<double>() / (cells[0] - cells[7]).norm().item<double>();
  const double b =
      (z[3] - z[9]).norm().item<double>() / (cells[3] - cells[9]).norm().item<double>();
  EXPECT_NEAR(a, b, 1e-3 * a);
}

TEST(LinearPath, MoreCoefficientsThanPixelsAreZero) {
  Parameters p;
  LinearPath path(p, 2, 20);
  auto images = smooth_images(20);
  path.start(images);
  EXPECT_TRUE(at::allclose(path.out(path.in(images)), images, 0, 1e-4));
  EXPECT_EQ(path.in(images).narrow(1, 12, 8).abs().max().item<float>(), 0);
}

TEST(LinearPath, ANetworkStartsAsItsLinearPath) {
  CodecConfig config;
  config.channels = 16;
  CodecNetwork network(config, 1);
  auto images = at::rand({20, 3, 32, 32}) * 2 - 1;
  network.start_linear(images);
  EXPECT_TRUE(network.latent(images).equal(network.linear->in(images)));
  auto z = network.linear->in(images);
  EXPECT_TRUE(network.picture(z).equal(network.linear->out(z)));
}

}  // namespace
}  // namespace vq
