#include "lib/scoring/evaluation.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "temp_folder.h"

namespace vq {
namespace {

// Random pictures from memory; `brightness` is added to every byte.
class MemorySide : public Side {
 public:
  MemorySide(int64_t count, int brightness, uint64_t seed, int64_t batch = 16) : batch_(batch) {
    const auto noise = at::arange(count * 16 * 16 * 3, at::kDouble).mul(12.9898 + seed).sin();
    bytes_ = (noise.frac().abs() * 128 + brightness).to(at::kByte).view({count, 16, 16, 3});
  }
  bool next(SideBatch& batch) override {
    const int64_t n = std::min(batch_, bytes_.size(0) - done_);
    if (n <= 0) return false;
    batch = {{}, bytes_.narrow(0, done_, n)};
    done_ += n;
    return true;
  }
  const std::string& name() const override { return name_; }
  at::Tensor bytes_;

 private:
  int64_t batch_, done_ = 0;
  std::string name_ = "memory";
};

// Mean colour, four times over: features that a test can foresee.
class MeanColour : public FeatureNetwork {
 public:
  at::Tensor operator()(const at::Tensor& images) const override { return images.mean({2, 3}); }
  int64_t size() const override { return 16; }
  std::string name() const override { return "mean colour"; }
  std::string identity() const override { return "0123"; }
};

std::shared_ptr<const Codec> small_codec() {
  CodecConfig config;
  config.image_size = 16, config.channels = 16, config.codes = 8;
  return std::make_shared<Codec>(std::make_unique<CodecNetwork>(config, 1));
}

TEST(Evaluate, FidOfAShiftedCopyIsTheSquareOfTheShift) {
  MemorySide real(100, 10, 1), fake(100, 61, 1);
  EvaluationOptions options;
  options.network = std::make_shared<MeanColour>();
  options.seed = 5;
  int64_t done = 0;
  options.on_progress = [&](int64_t n) { done = n; };
  const auto lines = evaluate(real, &fake, options);
  ASSERT_EQ(lines.size(), 1u);
  const Json& line = lines[0];
  EXPECT_EQ(line["metric"], "fid");
  EXPECT_NEAR(line["value"].get<double>(), 3 * std::pow(51 / 127.5, 2), 1e-5);
  EXPECT_EQ(line["real"], 100);
  EXPECT_EQ(line["fake"], 100);
  EXPECT_EQ(line["network"], "mean colour");
  EXPECT_EQ(line["network_id"], "0123");
  EXPECT_EQ(line["seed"], 5);
  EXPECT_TRUE(line.contains("error"));
  EXPECT_EQ(done, 200);
}

TEST(Evaluate, SidesMayHaveBatchesOfTheirOwn) {
  EvaluationOptions options;
  options.network = std::make_shared<MeanColour>();
  MemorySide a(50, 10, 1, 7), b(70, 20, 2, 16), c(50, 10, 1, 50), d(70, 20, 2, 3);
  EXPECT_EQ(evaluate(a, &b, options)[0]["value"], evaluate(c, &d, options)[0]["value"]);
}

TEST(Evaluate, PairsAndDistanceInOneReading) {
  EvaluationOptions options;
  options.metrics = {"recon", "fid"};
  options.network = std::make_shared<MeanColour>();
  MemorySide real(40, 10, 1), fake(40, 61, 1);
  const auto lines = evaluate(real, &fake, options);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0]["metric"], "recon");
  EXPECT_NEAR(lines[0]["value"].get<double>(), 20 * std::log10(5.0), 1e-4);  // 51 of 255
  EXPECT_FALSE(lines[0].contains("network"));
  EXPECT_NEAR(lines[1]["value"].get<double>(), 3 * std::pow(51 / 127.5, 2), 1e-5);
  MemorySide first(40, 10, 1), second(39, 61, 1), third(3, 0, 1, 3), fourth(6, 0, 1, 3);
  EXPECT_NE(error_of([&] { evaluate(first, &second, options); }), "no error");
  EXPECT_NE(error_of([&] { evaluate(third, &fourth, options); }), "no error");
}

// Pictures of 12 x 16 and 24 x 16 in turn, as they are.
class OwnSizesSide : public Side {
 public:
  OwnSizesSide(std::string name, int brightness, int64_t wider = 0, int64_t count = 4)
      : name_(std::move(name)), brightness_(brightness), wider_(wider), count_(count) {}
  bool next(SideBatch& batch) override {
    if (done_ == count_) return false;
    batch = {};
    for (int64_t i = 0; i < 2 && done_ < count_; ++i, ++done_) {
      batch.keys.push_back("k" + std::to_string(done_));
      const int64_t width = 16 + (done_ == 2 ? wider_ : 0);
      batch.pictures.push_back(at::full({12 * (1 + i), width, 3}, brightness_, at::kByte));
    }
    return true;
  }
  const std::string& name() const override { return name_; }

 private:
  std::string name_;
  int brightness_;
  int64_t wider_, count_, done_ = 0;
};

TEST(Evaluate, PairsAreComparedAtTheirOwnSizes) {
  EvaluationOptions options;
  options.metrics = {"recon"};
  OwnSizesSide real("real", 100), fake("fake", 110);
  const auto lines = evaluate(real, &fake, options);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_NEAR(lines[0]["value"].get<double>(), 20 * std::log10(25.5), 1e-5);
  EXPECT_EQ(lines[0]["real"], 4);
  EXPECT_EQ(lines[0]["preprocessing"], "as they are");
}

TEST(Evaluate, PairsOfTwoSizesAreAnError) {
  EvaluationOptions options;
  options.metrics = {"recon"};
  OwnSizesSide real("real", 100), fake("fake", 110, 1);
  try {
    evaluate(real, &fake, options);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.where(), "fake");
    EXPECT_EQ(error.message(), "picture 'k2' is 17 x 12 pixels, and in real 16 x 12");
  }
}

TEST(Evaluate, NoPictureIsLeftOverOnEitherSide) {
  EvaluationOptions options;
  options.metrics = {"recon"};
  for (const int64_t fewer : {1, 2, 3}) {
    OwnSizesSide real("real", 100), cut("cut", 110, 0, fewer), fake("fake", 110);
    EXPECT_THROW(evaluate(real, &cut, options), Error) << fewer;
    OwnSizesSide first("first", 100, 0, fewer);
    EXPECT_THROW(evaluate(first, &fake, options), Error) << fewer;
  }
}

TEST(Evaluate, OneSideAloneHasAnInceptionScore) {
  EvaluationOptions options;
  options.metrics = {"is"};
  options.network = std::make_shared<MeanColour>();
  MemorySide side(40, 10, 1);
  try {
    evaluate_alone(side, options);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.message(), "mean colour knows no classes, which is needs");
  }
  class Classes : public MeanColour {
    at::Tensor logits(const at::Tensor& features) const override { return 4 * features; }
  };
  options.network = std::make_shared<Classes>();
  MemorySide real(50, 30, 2), fake(40, 10, 1), alone(40, 10, 1);
  const Json both = evaluate(real, &fake, options)[0];
  const Json one = evaluate_alone(alone, options)[0];
  EXPECT_EQ(one["value"], both["value"]);
  EXPECT_GT(one["value"].get<double>(), 1);
  EXPECT_EQ(one["fake"], 40);
  EXPECT_TRUE(one["real"].is_null());
}

TEST(Evaluate, WithoutASecondSideTheCodecMakesIt) {
  EvaluationOptions options;
  options.metrics = {"recon", "fid"};
  options.codec = small_codec();
  options.network = codec_features(options.codec);
  MemorySide real(6, 10, 1);
  const auto lines = evaluate(real, nullptr, options);
  EXPECT_EQ(lines[0]["network"], "codec");
  EXPECT_EQ(lines[0]["network_id"], options.codec->identity());
  EXPECT_EQ(lines[1]["real"], 6);
  EXPECT_GT(lines[0]["value"].get<double>(), 0);
}

// Knows two classes: dark and light.
class MeanColourAndClass : public MeanColour {
 public:
  at::Tensor logits(const at::Tensor& features) const override {
    const at::Tensor brightness = features.mean(1) * 4;
    return at::stack({brightness, -brightness}, 1);
  }
  std::string preprocessing() const override { return "none"; }
};

TEST(Evaluate, GivesEveryMeasureOfOneReading) {
  EvaluationOptions options;
  options.metrics = {"fid", "kid", "is", "prdc", "qs", "ds"};
  options.network = std::make_shared<MeanColourAndClass>();
  options.components = 2, options.neighbours = 3;
  MemorySide real(60, 10, 1), fake(50, 40, 2);
  const auto lines = evaluate(real, &fake, options);
  std::vector<std::string> names;
  for (const Json& line : lines) {
    names.push_back(line["metric"]);
    EXPECT_TRUE(std::isfinite(line["value"].get<double>())) << names.back();
    EXPECT_EQ(line["real"], 60);
    EXPECT_EQ(line["fake"], 50);
    EXPECT_EQ(line["preprocessing"], "none");
    EXPECT_EQ(line["standard"], false);
  }
  EXPECT_EQ(names, (std::vector<std::string>{"fid", "kid", "is", "precision", "recall", "density",
                                             "coverage", "qs", "ds"}));
  EXPECT_EQ(lines[1]["real_sample"], 60);
  EXPECT_EQ(lines[7]["fitted"], 48);
  EXPECT_EQ(lines[8]["real_shares"].size(), 2u);
  options.metrics = {"is"};
  options.network = std::make_shared<MeanColour>();
  MemorySide again(60, 10, 1), other(50, 40, 2);
  EXPECT_NE(error_of([&] { evaluate(again, &other, options); }).find("knows no classes"),
            std::string::npos);
}

// A side of statistics.
class SavedSide : public Side {
 public:
  explicit SavedSide(SavedStatistics saved) : saved_(std::move(saved)) {}
  bool next(SideBatch&) override { return false; }
  const std::string& name() const override { return name_; }
  const SavedStatistics* saved() const override { return &saved_; }
  SavedStatistics saved_;

 private:
  std::string name_ = "real.npz";
};

TEST(Evaluate, SavedStatisticsTakeASidesPlace) {
  EvaluationOptions options;
  options.metrics = {"fid", "kid"};
  options.network = std::make_shared<MeanColour>();
  MemorySide real(60, 10, 1), fake(50, 40, 2), real_again(60, 10, 1);
  const auto direct = evaluate(real, &fake, options);
  SavedSide saved(measure_side(real_again, options));
  MemorySide fake_again(50, 40, 2);
  const auto lines = evaluate(saved, &fake_again, options);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(lines[i]["value"], direct[i]["value"]);
    EXPECT_EQ(lines[i]["error"], direct[i]["error"]);
    EXPECT_EQ(lines[i]["real"], 60);
  }
  // Those of other programs hold less, and say so.
  SavedSide foreign = saved;
  foreign.saved_.statistics.count = 0;
  foreign.saved_.statistics.sample = at::empty({0, 3});
  foreign.saved_.network_id = "";
  MemorySide third(50, 40, 2), fourth(50, 40, 2), fifth(50, 40, 2);
  options.metrics = {"fid"};
  const auto fid = evaluate(foreign, &third, options);
  EXPECT_EQ(fid[0]["value"], direct[0]["value"]);
  EXPECT_TRUE(fid[0]["real"].is_null());
  options.metrics = {"kid"};
  EXPECT_NE(error_of([&] { evaluate(foreign, &fourth, options); }).find("mean and covariance"),
            std::string::npos);
  saved.saved_.network_id = "4567";
  EXPECT_NE(error_of([&] { evaluate(saved, &fifth, options); }).find("of the network"),
            std::string::npos);
}

TEST(Evaluate, RefusesTooFewPictures) {
  EvaluationOptions options;
  options.network = std::make_shared<MeanColour>();
  MemorySide real(5, 10, 1), one(1, 10, 1), none(0, 0, 0);
  EXPECT_NE(error_of([&] { evaluate(real, &one, options); }).find("too few"), std::string::npos);
  options.metrics = {"recon"};
  MemorySide nothing(0, 0, 0);
  EXPECT_NE(error_of([&] { evaluate(none, &nothing, options); }).find("no pictures"),
            std::string::npos);
}

}  // namespace
}  // namespace vq
