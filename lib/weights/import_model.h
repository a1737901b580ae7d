// What the importers of whole models share: the schedule, and the file put together from the parts.
#pragma once

#include <string>
#include <vector>

#include "lib/diffusion/model.h"
#include "lib/weights/import_plan.h"
#include "lib/weights/import_text.h"

namespace vq {

// alpha_bar and gamma_bar at t = 1..T.
struct ImportedSchedule {
  std::string name = "linear";
  std::vector<double> alpha_bar, gamma_bar;

  // Linear ramps between four ends, computed as the released code does.
  static ImportedSchedule ramps(int64_t timesteps, double alpha_first, double alpha_last,
                                double gamma_first, double gamma_last);
  // From the logarithms that a checkpoint holds in single precision. Where they are what the named
  // schedule rounds to, the named one is meant.
  static ImportedSchedule of_logarithms(const std::vector<double>& log_alpha_bar,
                                        const std::vector<double>& log_gamma_bar, int64_t codes);
};

// The file of a model: text tower, null, denoiser, schedule, vocabulary, in the order in which our
// own models have them.
struct ModelParts {
  DiffusionModelConfig config;
  ImportedSchedule schedule;
  Tokenizer tokenizer;              // captions
  TextTower text;                   // captions
  SourcePool* null_pool = nullptr;  // of a learned null
  std::string null_name;
  SourcePool* pool = nullptr;  // of the denoiser
  TheirNames denoiser;
};
PlannedFile plan_model(const ModelParts& parts);

}  // namespace vq
