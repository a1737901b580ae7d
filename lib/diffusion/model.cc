#include "lib/diffusion/model.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "formats/error.h"

namespace vq {
namespace {

constexpr const char* kVocabulary = "condition.vocabulary";
constexpr const char* kAlphaBar = "schedule.alpha_bar";
constexpr const char* kGammaBar = "schedule.gamma_bar";

std::vector<double> doubles(const SafetensorsFile& file, const char* name) {
  const at::Tensor t = load_tensor(file, name).to(at::kDouble).contiguous();
  return {t.data_ptr<double>(), t.data_ptr<double>() + t.numel()};
}

DiffusionModelConfig parse_config(const Json& json, const std::string& where) {
  DiffusionModelConfig c;
  try {
    c.denoiser = DenoiserConfig::from_json(json.at("denoiser"), where);
    c.condition = ConditionConfig::from_json(json.at("condition"), where);
    c.schedule = json.at("schedule");
    c.objective = json.value("objective", "bound");  // files from before there was a choice
    c.codec = json.at("codec");
    c.suggested = json.at("suggested");
  } catch (const Json::exception&) {
    throw Error(where, "a diffusion model whose description is not complete");
  }
  return c;
}

void check_objective(const std::string& objective) {
  if (objective != "bound" && objective != "masked")
    throw Error::usage("objective", "'" + objective + "' is not one of bound, masked");
}

Schedule fresh_schedule(const DiffusionModelConfig& config) {
  const Schedule schedule =
      Schedule::make(config.schedule, static_cast<int>(config.denoiser.timesteps),
                     static_cast<int>(config.denoiser.codebook_size));
  return config.objective == "masked" ? schedule.without_replacement() : schedule;
}

Tokenizer stored_tokenizer(const SafetensorsFile& file, const ConditionConfig& config) {
  if (!file.contains(kVocabulary)) return std::nullopt;
  const TensorView view = file.tensor(kVocabulary);
  const std::string where = file.path() + ": " + kVocabulary;
  if (config.kind == ConditionKind::caption && config.text_kind == TextKind::clip)
    return ClipTokenizer::parse(as_text(view.bytes), where, config.clip_ids);
  return Vocabulary::load(Bytes(view.bytes.begin(), view.bytes.end()), where);
}

}  // namespace

Json DiffusionModelConfig::to_json() const {
  return {{"denoiser", denoiser.to_json()},
          {"condition", condition.to_json()},
          {"schedule", schedule},
          {"objective", objective},
          {"codec", codec},
          {"suggested", suggested}};
}

DiffusionModel::DiffusionModel(DiffusionModelConfig config, Tokenizer tokenizer, uint64_t seed,
                               Fill fill)
    : config_(std::move(config)), parameters_(seed, fill) {
  condition_ = std::make_unique<Condition>(parameters_, config_.condition, std::move(tokenizer));
  config_.condition = condition_->config();
  DenoiserConfig& d = config_.denoiser;
  d.condition = config_.condition.kind;
  d.context_width = d.condition == ConditionKind::caption ? config_.condition.text_width() : 0;
  d.label_rows = d.condition == ConditionKind::label ? condition_->label_rows() : 0;
  denoiser_ = std::make_unique<Denoiser>(parameters_, d);
  check_objective(config_.objective);
  // A file has numbers of its own, under any name.
  if (fill != Fill::none) schedule_ = std::make_unique<Schedule>(fresh_schedule(config_));
}

std::unique_ptr<DiffusionModel> DiffusionModel::build(const ModelFile& file, const Json& json) {
  const DiffusionModelConfig config = parse_config(json, file.path);
  Tokenizer tokenizer = stored_tokenizer(file.tensors, config.condition);
  if (config.condition.kind == ConditionKind::caption && !tokenizer) {
    throw Error(file.path, std::string("missing tensor ") + kVocabulary);
  }
  auto model = std::make_unique<DiffusionModel>(config, std::move(tokenizer), 0, Fill::none);
  // The numbers in the file count, not the name: a checkpoint keeps the schedule it was trained
  // with.
  model->schedule_ = std::make_unique<Schedule>(config.schedule, doubles(file.tensors, kAlphaBar),
                                                doubles(file.tensors, kGammaBar),
                                                static_cast<int>(config.denoiser.codebook_size));
  if (model->schedule_->timesteps() != config.denoiser.timesteps) {
    throw Error(file.path, "its schedule and its timestep tables differ in length");
  }
  return model;
}

std::unique_ptr<DiffusionModel> DiffusionModel::load(const std::string& path, at::Device device) {
  const ModelFile file = open_model(path, "diffusion");
  auto model = build(file, file.config);
  std::vector<std::string> besides = {kAlphaBar, kGammaBar, kVocabulary};
  load_parameters(file, model->parameters_, "", besides, device.is_cpu() ? Keep::map : Keep::copy);
  model->parameters_.set_requires_grad(false);
  model->parameters_.to(device, at::kFloat);
  model->identity_ = model_identity(file.tensors);
  if (device.is_cpu()) model->forget_file_ = [tensors = file.tensors] { tensors.forget(); };
  return model;
}

Parameters& DiffusionModel::parameters() {
  if (engine_ != nullptr) engine_->finish();
  forget_file_ = {};
  return parameters_;
}

at::Device DiffusionModel::device() const { return parameters_.entries().front().tensor.device(); }

void DiffusionModel::make_engine(Precision precision) {
  engine_.reset();
  engine_ = DenoiserEngine::make(*denoiser_, device(), precision, [this] {
    if (forget_file_) forget_file_();
  });
  if (engine_ == nullptr && precision == Precision::int8) {
    throw Error::usage("--dtype", "int8 needs a processor with AVX512_BF16, and -d cpu");
  }
}

std::vector<NamedTensor> DiffusionModel::constants() const {
  std::vector<double> alpha, gamma;
  for (int t = 1; t <= schedule_->timesteps(); ++t) {
    alpha.push_back(schedule_->alpha_bar(t));
    gamma.push_back(schedule_->gamma_bar(t));
  }
  std::vector<NamedTensor> list = {{kAlphaBar, at::tensor(alpha, at::kDouble)},
                                   {kGammaBar, at::tensor(gamma, at::kDouble)}};
  if (const Tokenizer& tokenizer = condition_->tokenizer()) {
    const Bytes& bytes = tokenizer.serialized();
    at::Tensor tensor = at::empty({static_cast<int64_t>(bytes.size())}, at::kByte);
    std::copy(bytes.begin(), bytes.end(), tensor.data_ptr<uint8_t>());
    list.push_back({kVocabulary, tensor});
  }
  return list;
}

void DiffusionModel::save(const std::string& path, const std::vector<NamedTensor>& weights,
                          const Json& history, bool force) const {
  std::vector<NamedTensor> tensors = weights;
  for (const NamedTensor& named : constants()) tensors.push_back(named);
  save_model(path, "diffusion", config_.to_json(), history, tensors, force);
}

GridHeader DiffusionModel::grid_header() const {
  GridHeader header;
  header.height = static_cast<int>(config_.denoiser.grid_height);
  header.width = static_cast<int>(config_.denoiser.grid_width);
  header.codebook_size = static_cast<int>(config_.denoiser.codebook_size);
  header.codec = config_.codec;
  return header;
}

}  // namespace vq
