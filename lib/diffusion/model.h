// A diffusion model as one thing and one file: denoiser, condition and schedule, with what was
// trained on them.
//
// File: safetensors of kind "diffusion". Metadata "vq.config" holds the denoiser's and the
// condition's sizes, schedule, objective, the codec's identity and the suggested sampling settings;
// tensors "schedule.alpha_bar", "schedule.gamma_bar" (T, double) and, with captions,
// "condition.vocabulary" (the tokenizer's bytes: lib/condition/README.md) travel beside the
// weights.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "formats/json.h"
#include "formats/token_grid.h"
#include "lib/condition/condition.h"
#include "lib/diffusion/denoiser.h"
#include "lib/diffusion/engine.h"
#include "lib/diffusion/schedule.h"
#include "lib/runtime/device.h"
#include "lib/weights/model_file.h"
#include "lib/weights/parameters.h"

namespace vq {

struct DiffusionModelConfig {
  DenoiserConfig denoiser;
  ConditionConfig condition;
  std::string schedule = "linear";
  // What it was trained by: "bound", or "masked", which teaches nothing about positions that hold a
  // token. Such a model's schedule only masks, so that sampling never asks about them.
  std::string objective = "bound";
  std::string codec;  // identity of the codec whose tokens it was trained on
  Json suggested =
      Json::object();  // {"guidance","steps","top_p"}: vq-sample's defaults for this model

  Json to_json() const;
};

class DiffusionModel {
 public:
  // Fresh weights. The denoiser's sizes that follow from the condition are filled in.
  DiffusionModel(DiffusionModelConfig config, Tokenizer tokenizer, uint64_t seed,
                 Fill fill = Fill::initial);
  static std::unique_ptr<DiffusionModel> load(const std::string& path, at::Device device);
  // As load(), but the weights come from elsewhere in the file (a training state): they hold
  // nothing yet.
  static std::unique_ptr<DiffusionModel> build(const ModelFile& file, const Json& config);

  const DiffusionModelConfig& config() const { return config_; }
  const Denoiser& denoiser() const { return *denoiser_; }
  const Condition& condition() const { return *condition_; }
  const Schedule& schedule() const { return *schedule_; }
  // What is changed in them must stay in memory: their file's pages are not given back any more.
  // Waits until the engine has read them, and throws what it failed with; ask again rather than
  // keep a reference from before make_engine().
  Parameters& parameters();
  const std::string& identity() const { return identity_; }  // of the file it was loaded from
  at::Device device() const;

  // Makes sampling fast where it can be (diffusion/engine: bf16 on a GPU, bf16 or int8 on a CPU
  // that multiplies them); its weights are those of this moment. What is sampled then differs by
  // rounding only. Throws vq::Error (usage) for int8 where there is none.
  void make_engine(Precision precision);
  const DenoiserEngine* engine() const { return engine_.get(); }  // null: there is none

  // What save() writes beside the weights.
  std::vector<NamedTensor> constants() const;
  void save(const std::string& path, const std::vector<NamedTensor>& weights, const Json& history,
            bool force) const;
  // The header of the token grids it makes.
  GridHeader grid_header() const;

 private:
  DiffusionModelConfig config_;
  Parameters parameters_;
  std::unique_ptr<Condition> condition_;
  std::unique_ptr<Denoiser> denoiser_;
  std::unique_ptr<Schedule> schedule_;
  std::function<void()> forget_file_;  // gives back the pages of the file the weights lie in
  std::string identity_;
  std::unique_ptr<DenoiserEngine> engine_;  // last: it reads the weights while it lives
};

}  // namespace vq
