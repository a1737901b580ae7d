#include <fmt/format.h>

#include <algorithm>

#include "formats/error.h"
#include "lib/runtime/device.h"
#include "lib/scoring/evaluation.h"
#include "lib/scoring/features.h"
#include "lib/scoring/side.h"
#include "tools/cli/terminal.h"
#include "tools/eval.h"

namespace vq {
namespace {

constexpr int64_t kFewPictures = 2048;
constexpr int kSizeWithoutNetwork = 256;

void load(const EvalArgs& args, EvaluationOptions& run) {
  const at::Device device = open_device(args.device);
  if (!args.model.empty()) {
    auto codec = std::make_shared<Codec>(Codec::load(args.model));
    codec->to(device);
    run.codec = std::move(codec);
  }
  if (!args.network.empty()) {
    run.network = load_features(args.network, device);
  } else if (run.codec != nullptr) {
    run.network = codec_features(run.codec);
  }
}

// An explicit size, else what the codec works on or the network looks at.
int picture_size(const EvalArgs& args, const EvaluationOptions& run, bool reconstructs) {
  if (args.size > 0) return args.size;
  if (reconstructs) return static_cast<int>(run.codec->config().image_size);
  return run.network != nullptr ? static_cast<int>(run.network->size()) : kSizeWithoutNetwork;
}

SideOptions side_options(const EvalArgs& args, const EvaluationOptions& run, bool reconstructs,
                         int64_t& bad) {
  SideOptions options{picture_size(args, run, reconstructs),
                      resize_from_word(args.resize),
                      args.batch,
                      args.threads,
                      run.codec,
                      args.model,
                      {}};
  if (reconstructs) run.codec->grid_side(options.size);  // an unfit --size before any work
  options.on_bad = [&bad, max = args.max_bad](const Error& error) {
    if (++bad > max) throw error;
    cli::say(error.where() + ": " + error.message());
  };
  return options;
}

void warn(const Json& line) {
  const int64_t real = line["real"], fake = line["fake"];
  if (line["metric"] != "fid" || std::min(real, fake) >= kFewPictures) return;
  cli::note(
      fmt::format("fid of {} and {} pictures: under {} it is mostly bias; compare it at "
                  "equal counts only",
                  real, fake, kFewPictures));
}

}  // namespace

void check_eval_pictures(const cli::Context& context, const EvalArgs& args) {
  const auto& operands = context.operands;
  for (const char* name : {"draws", "timesteps", "dtype"}) {
    if (context.parsed.has(name)) {
      throw Error::usage(std::string("--") + name, "says nothing about pictures",
                         "it is for the metrics bits and purity");
    }
  }
  if (operands.size() > 2) throw Error::usage(operands[2], "one operand too many");
  if (args.model.empty() && args.network.empty() && (args.wants("fid") || operands.size() == 1)) {
    throw Error::usage("", "neither --model nor --network was given",
                       "features come from a codec or from a feature network");
  }
  if (operands.size() == 1 && args.model.empty()) {
    throw Error::usage("", "one set of pictures and no --model to reconstruct it with",
                       "give REAL and FAKE, or a codec");
  }
  if (operands.size() == 2 && operands[0] == "-" && operands[1] == "-") {
    throw Error::usage("", "both sets cannot come from standard input");
  }
}

std::vector<Json> eval_pictures(const cli::Context& context, const EvalArgs& args) {
  const auto& operands = context.operands;
  EvaluationOptions run;
  run.metrics = args.metrics;
  run.seed = static_cast<uint64_t>(args.seed);
  load(args, run);
  int64_t bad = 0;
  const SideOptions options = side_options(args, run, operands.size() == 1, bad);
  const auto real = open_side(operands[0], options);
  std::unique_ptr<Side> fake;
  if (operands.size() == 2) fake = open_side(operands[1], options);

  const int64_t other_total = fake != nullptr ? fake->total() : real->total();
  const bool known = real->total() > 0 && other_total > 0;
  cli::Progress progress(context.common, "pictures", known ? real->total() + other_total : 0);
  run.on_progress = [&progress](int64_t done) { progress.update(static_cast<uint64_t>(done)); };
  const std::vector<Json> lines = evaluate(*real, fake.get(), run);
  progress.finish();
  for (const Json& line : lines) warn(line);
  if (bad > 0) cli::note(fmt::format("{} pictures skipped", bad));
  return lines;
}

}  // namespace vq
