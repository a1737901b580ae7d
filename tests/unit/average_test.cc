#include "lib/training/average.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "formats/error.h"

namespace vq {
namespace {

void set(Parameters& p, const char* name, double value) {
  const at::NoGradGuard no_grad;
  p.get(name).fill_(value);
}

TEST(Average, FollowsTheFormulaWithItsRisingStart) {
  Parameters p(1);
  p.constant("w", {2}, 1);
  Average average(p, 0.5);
  double expected = 1;
  for (int n = 0; n < 12; ++n) {
    const double value = 3 + n;
    set(p, "w", value);
    average.update();
    const double decay = std::min(0.5, (1.0 + n) / (10.0 + n));  // 0.1, 0.18, ... then 0.5
    expected = decay * expected + (1 - decay) * value;
    EXPECT_NEAR(average.tensors()[0].tensor[1].item<double>(), expected, 1e-5) << n;
  }
  EXPECT_EQ(average.steps(), 12);
}

TEST(Average, SwapTwiceGivesBackTheSameBits) {
  Parameters p(1);
  const at::Tensor w = p.normal("w", {50}, 1);
  Average average(p, 0.9);
  set(p, "w", 0.3);
  average.update();
  const at::Tensor averaged = average.tensors()[0].tensor.clone(), now = w.detach().clone();
  ASSERT_FALSE(at::equal(averaged, now));
  average.swap();
  EXPECT_TRUE(at::equal(w.detach(), averaged));
  EXPECT_TRUE(at::equal(average.tensors()[0].tensor, now));
  average.swap();
  EXPECT_TRUE(at::equal(w.detach(), now));
  EXPECT_TRUE(at::equal(average.tensors()[0].tensor, averaged));
  EXPECT_TRUE(w.requires_grad());
}

TEST(Average, GivesBuffersAsTheyAreUnderTheNetworksNames) {
  Parameters p(1);
  p.buffer("count", at::full({1}, 5.0));
  p.constant("w", {1}, 1);
  Average average(p, 0.5);
  p.get("count").fill_(6);
  const auto tensors = average.tensors("average.");
  ASSERT_EQ(tensors.size(), 2u);
  EXPECT_EQ(tensors[0].name, "average.count");
  EXPECT_EQ(tensors[0].tensor.item<double>(), 6);
  EXPECT_EQ(tensors[1].name, "average.w");
}

TEST(Average, LoadsWhatItGaveAndNamesWhatIsMissing) {
  const std::string path = testing::TempDir() + "average_test.safetensors";
  Parameters p(1), q(2);
  p.normal("w", {3}, 1);
  q.normal("w", {3}, 1);
  Average from(p, 0.5), to(q, 0.5);
  save_model(path, "codec", Json::object(), Json::array(), from.tensors("average."), true);
  to.load(SafetensorsFile(path), "average.");
  EXPECT_TRUE(at::equal(to.tensors()[0].tensor, from.tensors()[0].tensor));
  try {
    to.load(SafetensorsFile(path), "other.");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.message(), "missing tensor other.w");
  }
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace vq
