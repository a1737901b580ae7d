// Two sides -> results: reads both once, measures what was asked, and says with what it was
// measured.
//
//   fid      frechet.h              kid      kernel_distance.h      is     inception_score.h
//   prdc     precision_recall.h     qs, ds   giqa.h                 recon  reconstruction.h
//   lpips    lpips.h                clip     clip_score.h
//
// Without a second side the codec's reconstructions of the first one take its place. Sides are read
// one after the other, or together, picture by picture, where a metric compares pictures. What
// needs more of a side than its mean and covariance is computed from a uniform sample of `keep`
// feature vectors, so memory does not grow with the number of pictures.
//
// Pictures that are compared one with one are compared as they are, at their own sizes, where the
// sides hand them out so (SideOptions::as_they_are), else at the sides' size.
//
// Each result is a JSON object with the members that formats/metrics.h lists for vq-eval.
//                                                                           (evaluation_test.cc)
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "formats/json.h"
#include "lib/codec/codec.h"
#include "lib/scoring/features.h"
#include "lib/scoring/lpips.h"
#include "lib/scoring/side.h"

namespace vq {

struct EvaluationOptions {
  std::vector<std::string> metrics = {"fid"};
  uint64_t seed = 0;
  int64_t keep = 10000;                           // feature vectors of each side
  int64_t neighbours = 5;                         // of prdc and qs
  int64_t components = 7;                         // of qs and ds
  std::shared_ptr<const Codec> codec;             // for reconstructions; may be empty
  std::shared_ptr<const FeatureNetwork> network;  // for all but recon and lpips
  std::shared_ptr<const Lpips> lpips;             // for lpips
  std::function<void(int64_t done)> on_progress = [](int64_t) {};
};

// `fake` may be null. Throws vq::Error: too few pictures, pictures that do not pair, statistics of
// another network.
std::vector<Json> evaluate(Side& real, Side* fake, const EvaluationOptions& options);

// One side by itself: the metric `is` alone.
std::vector<Json> evaluate_alone(Side& side, const EvaluationOptions& options);

// The statistics of one side, for a file.
SavedStatistics measure_side(Side& side, const EvaluationOptions& options);

}  // namespace vq
