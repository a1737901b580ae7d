#include "tools/info_schedule.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <utility>

#include "formats/error.h"
#include "formats/safetensors.h"
#include "lib/diffusion/schedule.h"

namespace vq {
namespace {

constexpr const char* kColumns[] = {"alpha", "beta", "gamma", "alpha_bar", "beta_bar", "gamma_bar"};

std::vector<double> numbers(const SafetensorsFile& file, const std::string& name) {
  const TensorView tensor = file.tensor(name);
  if (tensor.dtype != DType::f64 || tensor.shape.size() != 1) {
    throw Error(file.path(), "tensor " + name + " is not a list of F64 numbers");
  }
  std::vector<double> list(tensor.bytes.size() / sizeof(double));
  std::memcpy(list.data(), tensor.bytes.data(), tensor.bytes.size());
  return list;
}

Error no_schedule(const SafetensorsFile& file) {
  const auto kind = file.metadata().find("vq.kind");
  const std::string what = kind == file.metadata().end() ? "" : "; it is a " + kind->second;
  return Error(file.path(), "has no schedule" + what,
               "a schedule is part of a diffusion model's file");
}

// The schedule's name and the size of the codebook.
std::pair<std::string, int> description(const SafetensorsFile& file) {
  const auto text = file.metadata().find("vq.config");
  if (text == file.metadata().end()) throw no_schedule(file);
  Json config = parse_json(text->second, file.path());
  if (config.contains("network")) config = config["network"];  // a training state's
  try {
    const int codebook_size = config.at("denoiser").at("codebook_size");
    if (codebook_size >= 1) return {config.at("schedule"), codebook_size};
  } catch (const Json::exception&) {
  }
  throw Error(file.path(), "a diffusion model whose description is not complete");
}

// As lib/diffusion/model.h says; the numbers in the file count, not the name.
Schedule stored_schedule(const std::string& path) {
  const SafetensorsFile file(path);
  const char *alpha = "schedule.alpha_bar", *gamma = "schedule.gamma_bar";
  if (!file.contains(alpha) || !file.contains(gamma)) throw no_schedule(file);
  const auto [name, codebook_size] = description(file);
  std::vector<double> alpha_bar = numbers(file, alpha), gamma_bar = numbers(file, gamma);
  try {
    return Schedule(name, std::move(alpha_bar), std::move(gamma_bar), codebook_size);
  } catch (const Error& error) {
    throw error.within(path);
  }
}

Schedule wanted_schedule(const ScheduleWanted& wanted) {
  const std::vector<std::string>& names = Schedule::names();
  if (std::find(names.begin(), names.end(), wanted.which) != names.end()) {
    return Schedule::make(wanted.which, wanted.timesteps, wanted.codebook_size);
  }
  if (!std::filesystem::exists(wanted.which)) {
    const std::string near = cli::nearest_word(wanted.which, names);
    throw Error::usage(
        "--schedule",
        fmt::format("'{}' is neither a file nor one of: {}", wanted.which, fmt::join(names, ", ")),
        near.empty() ? "" : fmt::format("did you mean {}?", near));
  }
  if (wanted.sizes_given) {
    throw Error::usage("--schedule", "the schedule of a model has its own -T and -K");
  }
  return stored_schedule(wanted.which);
}

}  // namespace

std::vector<cli::Option> schedule_rows(ScheduleWanted& wanted) {
  return {
      {.name = "schedule", .value = "WHICH",
       .help = "a table of linear, replace, cosine, arccos, or of a model's schedule",
       .target = &wanted.which,
       .more = "A word that is none of the four names is the file of a diffusion model."},
      {.letter = 'T', .name = "timesteps", .value = "T",
       .help = "with the name of a schedule: diffusion steps", .target = &wanted.timesteps,
       .min = 1, .max = 100000},
      {.letter = 'K', .name = "codebook-size", .value = "K",
       .help = "with the name of a schedule: codes", .target = &wanted.codebook_size, .min = 1,
       .max = 65536}};
}

bool schedule_is_asked(const cli::Context& context, ScheduleWanted& wanted) {
  const cli::Parsed& parsed = context.parsed;
  const bool asked = parsed.has("schedule");
  for (const char* name : {"timesteps", "codebook-size"}) {
    if (!parsed.has(name)) continue;
    if (!asked) throw Error::usage(std::string("--") + name, "needs --schedule");
    wanted.sizes_given = true;
  }
  for (const char* name : {"text", "tensors", "output", "heat", "verify"}) {
    if (asked && parsed.has(name)) {
      throw Error::usage(std::string("--") + name, "does not go with --schedule");
    }
  }
  if (asked && !context.operands.empty()) {
    throw Error::usage(context.operands.front(), "no operand is expected with --schedule");
  }
  return asked;
}

Json schedule_report(const ScheduleWanted& wanted) {
  const Schedule schedule = wanted_schedule(wanted);
  Json report = {{"schedule", schedule.name()},
                 {"timesteps", schedule.timesteps()},
                 {"codebook_size", schedule.codebook_size()}};
  for (const char* column : kColumns) report[column] = Json::array();
  for (int t = 1; t <= schedule.timesteps(); ++t) {
    const Transition q = schedule.between(t - 1, t);
    report["alpha"].push_back(q.alpha);
    report["beta"].push_back(q.beta);
    report["gamma"].push_back(q.gamma);
    report["alpha_bar"].push_back(q.alpha_bar_t);
    report["beta_bar"].push_back(q.beta_bar_t);
    report["gamma_bar"].push_back(q.gamma_bar_t);
  }
  return report;
}

std::string schedule_text(const Json& report) {
  const int steps = report["timesteps"];
  std::string out = fmt::format("{}: T = {}, K = {}\n{:>6}", report["schedule"].get<std::string>(),
                                steps, report["codebook_size"].get<int>(), "t");
  for (const char* column : kColumns) out += fmt::format("  {:>12}", column);
  for (int t = 1; t <= steps; ++t) {
    out += fmt::format("\n{:>6}", t);
    for (const char* column : kColumns) {
      out += fmt::format("  {:>12.6g}", report[column][static_cast<size_t>(t - 1)].get<double>());
    }
  }
  return out + "\n";
}

}  // namespace vq
