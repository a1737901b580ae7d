// A diffusion model and token grids -> results: measures what was asked, and says with what it was
// measured.
//
//   bits     one result (lib/scoring/bits.h)
//   purity   one result for each time (lib/scoring/purity.h)
//
// Each result is a JSON object with the members that formats/metrics.h lists for vq-eval.
//                                                                     (model_evaluation_test.cc)
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "formats/json.h"
#include "lib/diffusion/model.h"
#include "lib/training/token_set.h"

namespace vq {

struct ModelEvaluationOptions {
  std::vector<std::string> metrics = {"bits"};  // bits, purity
  uint64_t seed = 0;
  int64_t batch = 32;
  int draws = 4;           // of bits
  std::vector<int> times;  // of purity; empty: as in the paper's figure (figure_times)
  std::function<void(int64_t done)> on_progress = [](int64_t) {};  // noised grids
};

// How many noised grids the network will see.
int64_t evaluation_grids(const DiffusionModel& model, const TokenSet& set,
                         const ModelEvaluationOptions& options);

// The set must fit the model (check_fits). Throws vq::Error: times or draws that the model has not.
std::vector<Json> evaluate_model(const DiffusionModel& model, const TokenSet& set,
                                 const ModelEvaluationOptions& options);

}  // namespace vq
