#include "lib/scoring/reconstruction.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "formats/error.h"
#include "temp_folder.h"

namespace vq {
namespace {

at::Tensor flat(int64_t count, int value) { return at::full({count, 8, 8, 3}, value, at::kByte); }

TEST(Reconstruction, MeanAndErrorOverPictures) {
  Reconstruction recon;
  EXPECT_TRUE(std::isnan(recon.mean()));
  recon.add(flat(1, 100), flat(1, 110));
  EXPECT_TRUE(std::isnan(recon.error()));
  recon.add(flat(1, 100), flat(1, 101));
  // 10 of 255 is 28.13 dB, 1 of 255 is 48.13 dB: mean 38.13, deviation 10 sqrt(2), error 10.
  const double near = 20 * std::log10(255.0);
  EXPECT_NEAR(recon.mean(), near - 10, 1e-3);
  EXPECT_NEAR(recon.error(), 10, 1e-3);
  EXPECT_EQ(recon.count(), 2);
}

TEST(Reconstruction, EqualPicturesCountAsAHundredDecibels) {
  Reconstruction recon;
  recon.add(flat(3, 7), flat(3, 7));
  EXPECT_NEAR(recon.mean(), 100, 1e-4);
  EXPECT_NEAR(recon.error(), 0, 1e-4);
}

TEST(Reconstruct, GivesPicturesOfTheSameShape) {
  CodecConfig config;
  config.image_size = 16, config.channels = 16, config.codes = 8;
  const Codec codec(std::make_unique<CodecNetwork>(config, 1));
  const at::Tensor bytes = reconstruct(codec, at::full({2, 16, 24, 3}, 90, at::kByte));
  EXPECT_EQ(bytes.sizes(), (at::IntArrayRef{2, 16, 24, 3}));
  EXPECT_EQ(bytes.scalar_type(), at::kByte);
  EXPECT_THROW(reconstruct(codec, at::full({2, 15, 16, 3}, 90, at::kByte)), Error);
}

// A side that only has names.
class NamedSide : public Side {
 public:
  NamedSide(std::string name, std::vector<std::string> keys)
      : name_(std::move(name)), keys_(std::move(keys)) {}
  bool next(SideBatch&) override { return false; }
  const std::string& name() const override { return name_; }
  std::vector<std::string> keys() const override { return keys_; }
  void order_by(const std::vector<std::string>& keys) override { keys_ = keys; }

 private:
  std::string name_;
  std::vector<std::string> keys_;
};

TEST(Align, GivesTheSecondSideTheFirstOnesOrder) {
  NamedSide first("real", {"b", "a"}), second("fake", {"a", "b"}), more("fake", {"a", "b", "c"});
  align(first, second);
  EXPECT_EQ(second.keys(), (std::vector<std::string>{"b", "a"}));
  EXPECT_EQ(error_of([&] { align(first, more); }), "real: has no picture 'c'");
  NamedSide stream("stream", {});
  align(first, stream);
  EXPECT_TRUE(stream.keys().empty());
}

TEST(CheckPairs, WantsAsManyPicturesOfTheSameNames) {
  const auto error = [](const SideBatch& a, const SideBatch& b) {
    return error_of([&] { check_pairs(a, b, "real", "fake"); });
  };
  EXPECT_EQ(error({{"a", "b"}, flat(2, 0)}, {{"a", "b"}, flat(2, 0)}), "no error");
  EXPECT_EQ(error({{"a", "b"}, flat(2, 0)}, {{}, flat(2, 0)}), "no error");
  EXPECT_EQ(error({}, {}), "no error");
  EXPECT_EQ(error({{"a", "b"}, flat(2, 0)}, {{"a"}, flat(1, 0)}),
            "fake: has fewer pictures than real");
  EXPECT_EQ(error({}, {{"a"}, flat(1, 0)}), "real: has fewer pictures than fake");
  EXPECT_EQ(error({{"a", "b"}, flat(2, 0)}, {{"a", "c"}, flat(2, 0)}),
            "fake: has picture 'c' where real has 'b'");
}

// scikit-image 0.26.0, structural_similarity with Gaussian weights, deviation 1.5, population
// variances, and peak_signal_noise_ratio.
TEST(Reconstruction, EqualsScikitImage) {
  at::Tensor before = at::empty({1, 16, 16, 3}, at::kByte), after = at::empty_like(before);
  auto to = before.accessor<uint8_t, 4>(), changed = after.accessor<uint8_t, 4>();
  for (int y = 0; y < 16; ++y) {
    for (int x = 0; x < 16; ++x) {
      for (int c = 0; c < 3; ++c) {
        const int value = (7 * x + 11 * y + 50 * c + x * y % 17 * 3) % 256;
        const int other = value + ((x * 5 + y * 3 + c * 7) % 13 - 6) * 4;
        to[0][y][x][c] = static_cast<uint8_t>(value);
        changed[0][y][x][c] = static_cast<uint8_t>(std::clamp(other, 0, 255));
      }
    }
  }
  Reconstruction pair;
  pair.add(before, after);
  EXPECT_NEAR(pair.ssim(), 0.9167127382989491, 1e-10);
  EXPECT_NEAR(pair.mean(), 24.920583172614442, 1e-4);
  EXPECT_NEAR(ssim(before, before)[0].item<double>(), 1, 1e-12);
  EXPECT_TRUE(std::isnan(ssim(before.narrow(1, 0, 10), after.narrow(1, 0, 10))[0].item<double>()));
}

}  // namespace
}  // namespace vq
