#include "lib/training/features_trainer.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "temp_folder.h"

namespace vq {
namespace {

SmallClassifierConfig small() {
  SmallClassifierConfig config;
  config.image_size = 16, config.channels = 8, config.levels = 2;
  config.classes = {"across", "down"};
  return config;
}

FeaturesTrainingOptions options(int64_t steps) {
  FeaturesTrainingOptions o;
  o.steps = steps, o.batch = 16, o.warmup = 5, o.seed = 3;
  return o;
}

// Stripes across or down, at any place and of any brightness.
struct Stripes {
  at::Tensor bytes;
  std::vector<int64_t> labels;

  explicit Stripes(int64_t count) : bytes(at::empty({count, 16, 16, 3}, at::kByte)) {
    for (int64_t i = 0; i < count; ++i) {
      labels.push_back(i / 3 % 2);
      const at::Tensor wave = ((at::arange(16, at::kFloat) + i).mul(1.6).sin() * 60 + 128 + i % 40);
      const at::Tensor square = labels.back() == 0 ? wave.view({16, 1, 1}) : wave.view({1, 16, 1});
      bytes[i].copy_(square.expand({16, 16, 3}));
    }
  }
};

std::vector<at::Tensor> weights(const FeaturesTrainer& trainer) {
  std::vector<at::Tensor> all;
  for (const auto& entry : trainer.network().parameters.entries()) {
    all.push_back(entry.tensor.detach().clone());
  }
  return all;
}

TEST(FeaturesTrainer, LearnsToTellClassesApart) {
  const Stripes stripes(100);
  TrainingPictures pictures(stripes.bytes);
  FeaturesTrainer trainer(small(), options(200), pictures, stripes.labels, at::kCPU);
  EXPECT_EQ(trainer.held_out(), 10);
  double first = 0, last = 0;
  EXPECT_TRUE(trainer.run([&](const FeaturesStep& s) {
    (s.step == 1 ? first : last) = s.loss;
    return true;
  }));
  EXPECT_LT(last, first / 2);
  EXPECT_GT(trainer.held_out_accuracy(), 0.9);
}

TEST(FeaturesTrainer, StoppedAndResumedGivesTheSameBits) {
  const TempFolder folder;
  const Stripes stripes(50);
  TrainingPictures pictures(stripes.bytes);
  FeaturesTrainer whole(small(), options(6), pictures, stripes.labels, at::kCPU);
  whole.run([](const FeaturesStep&) { return true; });
  FeaturesTrainer first(small(), options(6), pictures, stripes.labels, at::kCPU);
  first.run([](const FeaturesStep& s) { return s.step < 3; });
  first.save_state(folder / "state");
  FeaturesTrainer second(small(), options(6), pictures, stripes.labels, at::kCPU);
  second.load_state(folder / "state");
  EXPECT_EQ(second.steps_done(), 3);
  second.run([](const FeaturesStep&) { return true; });
  const auto a = weights(whole), b = weights(second);
  for (size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(at::equal(a[i], b[i])) << i;
  FeaturesTrainingOptions others = options(6);
  others.batch = 8;
  FeaturesTrainer third(small(), others, pictures, stripes.labels, at::kCPU);
  EXPECT_NE(error_of([&] { third.load_state(folder / "state"); }).find("batch"), std::string::npos);
}

TEST(FeaturesTrainer, RefusesLabelsWithoutAClass) {
  const Stripes stripes(10);
  TrainingPictures pictures(stripes.bytes);
  std::vector<int64_t> labels(10, 2);
  EXPECT_NE(error_of([&] {
              FeaturesTrainer(small(), options(1), pictures, labels, at::kCPU);
            }).find("label 2"),
            std::string::npos);
}

}  // namespace
}  // namespace vq
