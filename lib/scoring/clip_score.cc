#include "lib/scoring/clip_score.h"

#include <ATen/ATen.h>

#include <cmath>

#include "formats/error.h"

namespace vq {
namespace {

struct RunningMean {
  int64_t count = 0;
  double sum = 0, squares = 0;

  void add(const at::Tensor& values) {
    count += values.numel();
    sum += values.sum().item<double>();
    squares += values.pow(2).sum().item<double>();
  }
  double mean() const { return sum / static_cast<double>(count); }
  double error() const {
    if (count < 2) return std::nan("");
    const auto n = static_cast<double>(count);
    return std::sqrt(std::max(0.0, squares - sum * sum / n) / (n - 1) / n);
  }
};

void check_captions(const Side& side, const SideBatch& batch) {
  for (size_t i = 0; i < batch.captions.size(); ++i) {
    if (!batch.captions[i].empty()) continue;
    const std::string which =
        i < batch.keys.size() ? "picture '" + batch.keys[i] + "'" : "a picture";
    throw Error(side.name(), which + " has no caption, which clip needs",
                "captions come in a list (captions.jsonl) or in token grids");
  }
}

at::Tensor cosines(const at::Tensor& pictures, const at::Tensor& captions) {
  return (pictures * captions).sum(1).to(at::kCPU, at::kDouble);
}

}  // namespace

Json measure_clip(Side& side, const Clip& clip, const std::function<void(int64_t)>& on_progress) {
  RunningMean cosine, clipped, score;
  for (SideBatch batch; side.next(batch);) {
    if (batch.count() == 0) continue;
    check_captions(side, batch);
    const at::Tensor pictures = clip.image_vectors(batch.inputs);
    std::vector<std::string> prefixed;
    for (const std::string& caption : batch.captions)
      prefixed.push_back(kClipScorePrefix + caption);
    const at::Tensor plain = cosines(pictures, clip.text_vectors(batch.captions));
    cosine.add(plain);
    clipped.add(100 * plain.clamp_min(0));
    score.add(2.5 * cosines(pictures, clip.text_vectors(prefixed)).clamp_min(0));
    on_progress(cosine.count);
  }
  if (cosine.count == 0) throw Error(side.name(), "holds no pictures");
  return {{"metric", "clip"},
          {"value", cosine.mean()},
          {"error", cosine.error()},
          {"fake", cosine.count},
          {"times_100", clipped.mean()},
          {"clipscore", score.mean()},
          {"clipscore_error", score.error()},
          {"network", "clip"},
          {"network_id", clip.identity()},
          {"preprocessing", "clip: short side by bicubic resampling, middle square"}};
}

}  // namespace vq
