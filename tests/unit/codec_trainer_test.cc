#include "lib/training/codec_trainer.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "lib/codec/pixels.h"
#include "tests/unit/temp_folder.h"

namespace vq {
namespace {

CodecConfig small_config(bool linear = true) {
  CodecConfig c;
  c.linear = linear;
  c.image_size = 16;
  c.patch = 4;
  c.channels = 32;
  c.multipliers = {1};
  c.latent = c.code_width = 8;
  c.codes = 64;
  return c;
}

// Blocks of flat colour, so that a small codec can learn them.
at::Tensor colour_blocks(int64_t count) {
  at::manual_seed(1);
  auto blocks = at::randint(0, 5, {count, 4, 4, 3}, at::kByte) * 60;
  return blocks.repeat_interleave(4, 1).repeat_interleave(4, 2);
}

CodecTrainingOptions short_run(int64_t steps) {
  set_threads(1);  // products this small only wait for each other
  CodecTrainingOptions o;
  o.steps = steps;
  o.batch = 8;
  o.warmup = 10;
  o.learning_rate = 4e-3;
  o.average_decay = 0.9;
  o.codebook.restart_after = 10;
  return o;
}

TEST(CodecTrainer, OverfitsEightPictures) {
  TrainingPictures pictures(colour_blocks(8));
  for (bool linear : {false, true}) {
    CodecTrainer trainer(small_config(linear), short_run(300), pictures, at::kCPU);
    double first = 0;
    EXPECT_TRUE(trainer.run([&](const CodecStep& s) {
      if (s.step == 11) first = s.psnr;
      EXPECT_TRUE(std::isfinite(s.loss));
      return true;
    }));
    const CodecSummary summary = trainer.finish();
    EXPECT_GT(summary.psnr, 25) << linear;
    EXPECT_GT(summary.psnr, first + 8) << linear;
    EXPECT_LE(summary.codes, 64);
  }
}

// The point of linear paths: the first step sees pictures as good as their cells' components and
// k-means allow.
TEST(CodecTrainer, LinearPathsStartWithAPicture) {
  TrainingPictures pictures(colour_blocks(8));
  CodecTrainer with(small_config(true), short_run(300), pictures, at::kCPU);
  CodecTrainer without(small_config(false), short_run(300), pictures, at::kCPU);
  EXPECT_GT(with.step().psnr, without.step().psnr + 8);
}

TEST(CodecTrainer, SavedCodecGivesThePicturesBack) {
  TempFolder folder;
  auto bytes = colour_blocks(8);
  TrainingPictures pictures(bytes);
  CodecTrainer trainer(small_config(), short_run(60), pictures, at::kCPU);
  trainer.run([](const CodecStep&) { return true; });
  const CodecSummary summary = trainer.finish();
  trainer.save(folder / "codec", Json::array({"here"}), false);
  const Codec codec = Codec::load(folder / "codec");
  EXPECT_EQ(codec.config().codes, summary.codes);
  auto images = to_images(bytes);
  auto again = codec.decode(codec.encode(images), 4, 4);
  EXPECT_NEAR(psnr(images, again).mean().item<double>(), summary.psnr, 1e-3);
  EXPECT_EQ(open_model(folder / "codec", "codec").history, Json::array({"here"}));
}

std::vector<at::Tensor> weights_of(const CodecTrainer& trainer) {
  std::vector<at::Tensor> list;
  for (const auto& e : trainer.network().parameters.entries())
    list.push_back(e.tensor.detach().clone());
  return list;
}

// Law: stopped anywhere and resumed, the same bits as in one go; before and after k-means too.
void resume_everywhere(bool linear) {
  TempFolder folder;
  TrainingPictures pictures(colour_blocks(20));
  CodecTrainingOptions options = short_run(40);
  options.flip = true;
  CodecTrainer whole(small_config(linear), options, pictures, at::kCPU);
  whole.run([](const CodecStep&) { return true; });
  for (int64_t stop : {7, 10, 26}) {
    {
      CodecTrainer first(small_config(linear), options, pictures, at::kCPU);
      EXPECT_FALSE(first.run([&](const CodecStep& s) { return s.step < stop; }));
      first.save_state(folder / "state");
    }
    CodecTrainer second(small_config(linear), options, pictures, at::kCPU);
    second.load_state(folder / "state");
    EXPECT_EQ(second.steps_done(), stop);
    EXPECT_TRUE(second.run([](const CodecStep&) { return true; }));
    const auto a = weights_of(whole), b = weights_of(second);
    for (size_t i = 0; i < a.size(); ++i) {
      EXPECT_TRUE(a[i].equal(b[i])) << stop << " " << whole.network().parameters.entries()[i].name;
    }
    EXPECT_EQ(second.finish().psnr, whole.finish().psnr) << "the average and the statistics too";
  }
}

TEST(CodecTrainer, ResumingIsBitExact) {
  resume_everywhere(false);
  resume_everywhere(true);
}

TEST(CodecTrainer, OtherOptionsAreRefused) {
  TempFolder folder;
  TrainingPictures pictures(colour_blocks(8));
  CodecTrainer first(small_config(), short_run(40), pictures, at::kCPU);
  first.step();
  first.save_state(folder / "state");
  CodecTrainingOptions faster = short_run(40);
  faster.learning_rate = 1e-2;
  CodecTrainer second(small_config(), faster, pictures, at::kCPU);
  EXPECT_NE(error_of([&] { second.load_state(folder / "state"); }).find("learning_rate"),
            std::string::npos);
  CodecConfig wider = small_config();
  wider.channels = 64;
  CodecTrainer third(wider, short_run(40), pictures, at::kCPU);
  EXPECT_NE(error_of([&] { third.load_state(folder / "state"); }).find("channels"),
            std::string::npos);
}

TEST(CodecTrainer, EndsAfterItsSeconds) {
  TrainingPictures pictures(colour_blocks(8));
  CodecTrainingOptions options = short_run(0);
  options.max_seconds = 0.3;
  CodecTrainer trainer(small_config(), options, pictures, at::kCPU);
  CodecStep last;
  EXPECT_TRUE(trainer.run([&](const CodecStep& s) {
    last = s;
    return true;
  }));
  EXPECT_GE(last.seconds, 0.3);
  EXPECT_EQ(last.done, 1);
  EXPECT_LT(last.learning_rate, options.learning_rate);
}

TEST(CodecTrainer, ARunNeedsAnEnd) {
  TrainingPictures pictures(colour_blocks(8));
  EXPECT_THROW(CodecTrainer(small_config(), short_run(0), pictures, at::kCPU), Error);
}

}  // namespace
}  // namespace vq
