#include "lib/training/checkpoint.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>

#include "formats/error.h"

namespace vq {
namespace {

constexpr const char* kKind = "training-state";
constexpr const char* kWeights = "weights.";
constexpr const char* kAverage = "average.";

}  // namespace

void save_checkpoint(const std::string& path, const Checkpoint& checkpoint,
                     const Parameters& parameters, const Optimiser& optimiser,
                     const Average& average, const std::vector<NamedTensor>& more) {
  std::vector<NamedTensor> tensors = named_tensors(parameters, kWeights);
  const auto append = [&](const std::vector<NamedTensor>& list) {
    tensors.insert(tensors.end(), list.begin(), list.end());
  };
  append(optimiser.state());
  for (const NamedTensor& named : average.tensors(kAverage)) {
    const std::string name = named.name.substr(std::string(kAverage).size());
    // Buffers are not averaged; they are among the weights already.
    const auto same = [&](const Parameters::Entry& e) { return e.name == name && e.trainable; };
    const auto& entries = parameters.entries();
    if (std::any_of(entries.begin(), entries.end(), same)) tensors.push_back(named);
  }
  append(more);
  const Json config = {{"of", checkpoint.kind},
                       {"network", checkpoint.config},
                       {"options", checkpoint.options},
                       {"step", checkpoint.step},
                       {"average_steps", average.steps()},
                       {"seconds", checkpoint.seconds},
                       {"more", checkpoint.more}};
  save_model(path, kKind, config, Json::array(), tensors, /*force=*/true);
}

CheckpointFile open_checkpoint(const std::string& path) {
  ModelFile file = open_model(path, kKind);
  const Json& c = file.config;
  Checkpoint checkpoint;
  try {
    checkpoint = {c.at("of"),   c.at("network"), c.at("options"),
                  c.at("step"), c.at("seconds"), c.at("more")};
    (void)c.at("average_steps").get<int64_t>();
  } catch (const Json::exception&) {
    throw Error(path, "a training state whose description is not complete");
  }
  return {std::move(checkpoint), std::move(file)};
}

void load_checkpoint(const CheckpointFile& from, Parameters& parameters, Optimiser& optimiser,
                     Average& average) {
  load_parameters(from.file, parameters, kWeights);
  optimiser.load_state(from.file.tensors);
  average.load(from.file.tensors, kAverage);
  average.set_steps(from.file.config.at("average_steps"));
}

void check_same_options(const Json& then, const Json& now,
                        const std::vector<std::string>& may_change, const std::string& where) {
  Json names = now;  // and those that only the interrupted run had
  names.update(then);
  const auto text = [](const Json& of, const std::string& name) {
    return of.contains(name) ? dump_json(of.at(name)) : "not set";
  };
  for (const auto& [name, unused] : names.items()) {
    if (std::find(may_change.begin(), may_change.end(), name) != may_change.end()) continue;
    const bool both = then.contains(name) && now.contains(name);
    if (both && then.at(name) == now.at(name)) continue;
    throw Error::usage(where,
                       fmt::format("the interrupted run had {} {}, this one has {}", name,
                                   text(then, name), text(now, name)),
                       "give the same options to go on, or leave --resume out to start anew");
  }
}

}  // namespace vq
