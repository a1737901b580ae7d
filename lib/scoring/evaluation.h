// Two sides -> results: reads both once, measures what was asked, and says with what it was
// measured.
//
// Without a second side the codec's reconstructions of the first one take its place. Sides are read
// one after the other, or together, picture by picture, where a metric compares pictures.
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
#include "lib/scoring/side.h"

namespace vq {

struct EvaluationOptions {
  std::vector<std::string> metrics = {"fid"};  // fid, recon
  uint64_t seed = 0;
  std::shared_ptr<const Codec> codec;             // for reconstructions; may be empty
  std::shared_ptr<const FeatureNetwork> network;  // for fid
  std::function<void(int64_t done)> on_progress = [](int64_t) {};
};

// `fake` may be null. Throws vq::Error: too few pictures, pictures that do not pair.
std::vector<Json> evaluate(Side& real, Side* fake, const EvaluationOptions& options);

}  // namespace vq
