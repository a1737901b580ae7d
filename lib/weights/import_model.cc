#include "lib/weights/import_model.h"

#include <algorithm>
#include <cmath>

#include "formats/error.h"

namespace vq {
namespace {

Bytes bytes_of(const std::vector<double>& numbers) {
  const auto* first = reinterpret_cast<const uint8_t*>(numbers.data());
  return Bytes(first, first + numbers.size() * sizeof(double));
}

// Are these the logarithms of the others, rounded to single precision? One unit in the last place
// is forgiven: logarithms differ between libraries.
bool rounds_to(const std::vector<double>& logarithms, const std::vector<double>& values) {
  return std::equal(logarithms.begin(), logarithms.end(), values.begin(), values.end(),
                    [](double log, double value) {
                      return std::abs(log - std::log(value)) <= 1.3e-7 * std::abs(log);
                    });
}

}  // namespace

ImportedSchedule ImportedSchedule::ramps(int64_t timesteps, double alpha_first, double alpha_last,
                                         double gamma_first, double gamma_last) {
  ImportedSchedule s;
  const bool released = alpha_first == 0.99999 && alpha_last == 0.000009 &&
                        gamma_first == 0.000009 && gamma_last == 0.99999;
  if (!released) s.name = "ramps";
  for (int64_t t = 0; t < timesteps; ++t) {
    const double ramp = timesteps == 1 ? 1.0 : static_cast<double>(t) / (timesteps - 1);
    s.alpha_bar.push_back(alpha_first + ramp * (alpha_last - alpha_first));
    s.gamma_bar.push_back(gamma_first + ramp * (gamma_last - gamma_first));
  }
  return s;
}

ImportedSchedule ImportedSchedule::of_logarithms(const std::vector<double>& log_alpha_bar,
                                                 const std::vector<double>& log_gamma_bar,
                                                 int64_t codes) {
  const auto timesteps = static_cast<int64_t>(log_alpha_bar.size());
  const ImportedSchedule linear = ramps(timesteps, 0.99999, 0.000009, 0.000009, 0.99999);
  if (rounds_to(log_alpha_bar, linear.alpha_bar) && rounds_to(log_gamma_bar, linear.gamma_bar))
    return linear;
  ImportedSchedule s;
  s.name = "stored";
  double alpha_before = 1, gamma_before = 0;
  for (size_t t = 0; t < log_alpha_bar.size(); ++t) {
    // What rounding put out of order is put back: none is a step the other way.
    double alpha = std::min(std::exp(log_alpha_bar[t]), alpha_before);
    double gamma = std::max(std::exp(log_gamma_bar[t]), gamma_before);
    if (alpha + gamma > 1) (alpha < gamma ? gamma : alpha) = 1 - std::min(alpha, gamma);
    s.alpha_bar.push_back(alpha_before = alpha);
    s.gamma_bar.push_back(gamma_before = gamma);
  }
  Schedule(s.name, s.alpha_bar, s.gamma_bar, static_cast<int>(codes));  // throws when it is none
  return s;
}

PlannedFile plan_model(const ModelParts& parts) {
  PlannedFile file;
  file.kind = "diffusion";
  const ClipTokenizer* clip = parts.tokenizer.clip();
  DiffusionModel blank(parts.config, clip ? Tokenizer(*clip) : Tokenizer(), 0, Fill::shapes);
  const Parameters& network = blank.parameters();
  const auto is_text = [](const std::string& name) { return name.starts_with("condition.text."); };
  const auto is_null = [](const std::string& name) { return name == "condition.null"; };
  using Names = std::vector<std::string>;
  if (parts.text.pool != nullptr) {
    plan_parameters(
        file, network,
        [&](const std::string& ours) {
          return is_text(ours) ? their_names(parts.text.names, ours) : Names{};
        },
        *parts.text.pool);
  }
  if (parts.null_pool != nullptr) {
    plan_parameters(
        file, network,
        [&](const std::string& ours) { return is_null(ours) ? Names{parts.null_name} : Names{}; },
        *parts.null_pool);
  }
  plan_parameters(
      file, network,
      [&](const std::string& ours) {
        return is_text(ours) || is_null(ours) ? Names{} : parts.denoiser(ours);
      },
      *parts.pool);
  for (const Parameters::Entry& entry : network.entries()) {
    const bool there =
        std::any_of(file.tensors.begin(), file.tensors.end(),
                    [&](const PlannedTensor& t) { return t.layout.name == entry.name; });
    if (!there) throw Error(parts.pool->path(), "nothing there becomes " + entry.name);
  }
  const auto steps = static_cast<int64_t>(parts.schedule.alpha_bar.size());
  file.add("schedule.alpha_bar", DType::f64, {steps}, bytes_of(parts.schedule.alpha_bar));
  file.add("schedule.gamma_bar", DType::f64, {steps}, bytes_of(parts.schedule.gamma_bar));
  if (parts.tokenizer) {
    const Bytes& merges = parts.tokenizer.serialized();
    file.add("condition.vocabulary", DType::u8, {static_cast<int64_t>(merges.size())}, merges);
  }
  file.config = blank.config().to_json();
  file.config["schedule"] = parts.schedule.name;
  return file;
}

}  // namespace vq
