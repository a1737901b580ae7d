#include "lib/scoring/clip_score.h"

#include <gtest/gtest.h>

#include "tiny_clip.h"

namespace vq {
namespace {

class CaptionedSide : public Side {
 public:
  CaptionedSide(at::Tensor inputs, std::vector<std::string> captions, int64_t batch)
      : inputs_(std::move(inputs)), captions_(std::move(captions)), batch_(batch) {}
  bool next(SideBatch& batch) override {
    const int64_t n = std::min(batch_, inputs_.size(0) - done_);
    if (n <= 0) return false;
    batch = {};
    batch.inputs = inputs_.narrow(0, done_, n);
    for (int64_t i = done_; i < done_ + n; ++i) {
      batch.keys.push_back("p" + std::to_string(i));
      batch.captions.push_back(captions_[static_cast<size_t>(i)]);
    }
    done_ += n;
    return true;
  }
  const std::string& name() const override { return name_; }

 private:
  at::Tensor inputs_;
  std::vector<std::string> captions_;
  int64_t batch_, done_ = 0;
  std::string name_ = "side";
};

TEST(MeasureClip, IsTheMeanOfCosines) {
  const TempFolder folder;
  const Clip clip(TinyClip::save(folder, "c.safetensors", TinyClip().openai),
                  TinyClip::save_merges(folder), at::kCPU);
  const at::Tensor x = at::randn({5, 3, TinyClip::kSize, TinyClip::kSize});
  const std::vector<std::string> captions = {"red", "a red bird", "tree", "x", "red red"};
  CaptionedSide side(x, captions, 2);
  const Json line = measure_clip(side, clip);
  std::vector<std::string> prefixed;
  for (const std::string& caption : captions) prefixed.push_back("A photo depicts " + caption);
  const at::Tensor pictures = clip.image_vectors(x);
  const at::Tensor plain = (pictures * clip.text_vectors(captions)).sum(1);
  const at::Tensor other = (pictures * clip.text_vectors(prefixed)).sum(1);
  EXPECT_NEAR(line["value"].get<double>(), plain.mean().item<double>(), 1e-5);
  EXPECT_NEAR(line["error"].get<double>(), plain.std(true).item<double>() / std::sqrt(5.0), 1e-5);
  EXPECT_NEAR(line["times_100"].get<double>(), 100 * plain.clamp_min(0).mean().item<double>(),
              1e-3);
  EXPECT_NEAR(line["clipscore"].get<double>(), 2.5 * other.clamp_min(0).mean().item<double>(),
              1e-5);
  EXPECT_EQ(line["fake"], 5);
  EXPECT_EQ(line["network_id"], clip.identity());
}

TEST(MeasureClip, RefusesPicturesWithoutCaptions) {
  const TempFolder folder;
  const Clip clip(TinyClip::save(folder, "c.safetensors", TinyClip().openai),
                  TinyClip::save_merges(folder), at::kCPU);
  CaptionedSide side(at::randn({2, 3, TinyClip::kSize, TinyClip::kSize}), {"red", ""}, 2);
  EXPECT_NE(error_of([&] { measure_clip(side, clip); }).find("'p1' has no caption"),
            std::string::npos);
  CaptionedSide none(at::zeros({0, 3, TinyClip::kSize, TinyClip::kSize}), {}, 2);
  EXPECT_NE(error_of([&] { measure_clip(none, clip); }).find("no pictures"), std::string::npos);
}

}  // namespace
}  // namespace vq
