// How well pictures show what their captions say, by CLIP.
//
//   cosine      of a picture's vector and its caption's, from -1 to 1: the mean is what papers call
//               CLIP score when it is about 0.3
//   times 100   100 max(cosine, 0), as torchmetrics has it
//   clipscore   2.5 max(cosine, 0), "A photo depicts " before the caption (Hessel et al. 2021)
//
// Of several captions the first counts. Laws: no picture without a caption; the result does not
// depend on the batch but for rounding.                                    (clip_score_test.cc)
#pragma once

#include <cstdint>
#include <functional>

#include "formats/json.h"
#include "lib/scoring/clip_file.h"
#include "lib/scoring/side.h"

namespace vq {

inline constexpr const char* kClipScorePrefix = "A photo depicts ";

// The side's `prepare` is clip_input. One result with the members that formats/metrics.h lists.
// Throws vq::Error: no pictures, a picture without a caption.
Json measure_clip(
    Side& side, const Clip& clip,
    const std::function<void(int64_t done)>& on_progress = [](int64_t) {});

}  // namespace vq
