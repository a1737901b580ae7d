#include <algorithm>
#include <charconv>

#include "formats/error.h"
#include "lib/runtime/device.h"
#include "lib/scoring/model_evaluation.h"
#include "lib/scoring/noised_records.h"
#include "lib/training/token_set.h"
#include "tools/cli/terminal.h"
#include "tools/eval.h"

namespace vq {
namespace {

// "20,50,80"; empty for an empty text.
std::vector<int> parse_times(const std::string& text) {
  std::vector<int> times;
  for (size_t at = 0; !text.empty() && at <= text.size();) {
    const size_t comma = std::min(text.find(',', at), text.size());
    int time = 0;
    const auto result = std::from_chars(text.data() + at, text.data() + comma, time);
    if (result.ec != std::errc() || result.ptr != text.data() + comma || time < 1) {
      throw Error::usage("--timesteps", "'" + text + "' is not a list of numbers from 1",
                         "for example --timesteps=20,50,80");
    }
    times.push_back(time);
    at = comma + 1;
  }
  return times;
}

}  // namespace

void check_eval_model(const cli::Context& context, const EvalArgs& args) {
  for (const char* name :
       {"network", "size", "resize", "max-bad", "fid-mode", "network-range", "save-stats", "sample",
        "neighbours", "components", "clip", "clip-merges", "lpips", "checker"}) {
    if (context.parsed.has(name)) {
      throw Error::usage(std::string("--") + name, "says nothing about a model and its tokens",
                         "it is for metrics that judge pictures");
    }
  }
  for (const std::string& metric : args.metrics) {
    if (metric != "bits" && metric != "purity") {
      throw Error::usage("--metrics",
                         "bits and purity judge a model, " + metric + " judges pictures",
                         "ask for them one after the other");
    }
  }
  if (context.parsed.has("draws") && !args.wants("bits")) {
    throw Error::usage("--draws", "says nothing about purity", "it is for the metric bits");
  }
  if (context.parsed.has("timesteps") && !args.wants("purity")) {
    throw Error::usage("--timesteps", "says nothing about bits", "it is for the metric purity");
  }
  if (args.model.empty()) throw Error::usage("", "no --model was given to judge");
  parse_times(args.timesteps);
}

std::vector<Json> eval_model(const cli::Context& context, const EvalArgs& args) {
  const at::Device device = open_device(args.device);
  const auto model = DiffusionModel::load(args.model, device);
  const Precision precision = choose_precision(args.dtype, device);
  model->make_engine(precision);
  const TokenSet set = read_token_set(context.operands);
  check_fits(*model, set, context.operands.front());

  ModelEvaluationOptions run;
  run.metrics = args.metrics;
  run.seed = static_cast<uint64_t>(args.seed);
  run.batch = args.batch;
  run.draws = args.draws;
  run.times = parse_times(args.timesteps);
  cli::Progress progress(context.common, "grids",
                         static_cast<uint64_t>(evaluation_grids(*model, set, run)));
  run.on_progress = [&progress](int64_t done) { progress.update(static_cast<uint64_t>(done)); };
  std::vector<Json> lines = evaluate_model(*model, set, run);
  progress.finish();
  for (Json& line : lines) line["dtype"] = precision_word(precision);
  return lines;
}

}  // namespace vq
