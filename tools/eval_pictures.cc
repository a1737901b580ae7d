#include <fmt/format.h>

#include <algorithm>

#include "formats/error.h"
#include "lib/runtime/device.h"
#include "lib/scoring/evaluation.h"
#include "lib/scoring/features.h"
#include "lib/scoring/script_network.h"
#include "lib/scoring/side.h"
#include "tools/cli/terminal.h"
#include "tools/eval.h"

namespace vq {
namespace {

constexpr int64_t kFewPictures = 2048, kPapersPictures = 10000;

bool compares_pairs(const EvalArgs& args) { return args.wants("recon") || args.wants("lpips"); }

bool needs_features(const EvalArgs& args) {
  return std::any_of(args.metrics.begin(), args.metrics.end(), [](const std::string& metric) {
    return metric != "recon" && metric != "lpips";
  });
}

// Whether one set of pictures by itself is all that is asked about.
bool judges_one(const EvalArgs& args) {
  return args.model.empty() && args.metrics.size() == 1 && args.metrics.front() == "is";
}

void load(const EvalArgs& args, EvaluationOptions& run) {
  const at::Device device = open_device(args.device);
  if (!args.model.empty()) {
    auto codec = std::make_shared<Codec>(Codec::load(args.model));
    codec->to(device);
    run.codec = std::move(codec);
  }
  if (!args.lpips.empty()) {
    run.lpips = std::make_shared<Lpips>(TensorBook(args.lpips), device);
  }
  if (!args.network.empty()) {
    run.network = load_features(
        args.network, device,
        {fid_mode_from_word(args.fid_mode), input_range_from_word(args.network_range)});
  } else if (run.codec != nullptr) {
    run.network = codec_features(run.codec);
  }
}

// An explicit size, else what the codec works on or the network looks at; 0: nobody wants pictures
// of one size.
int picture_size(const EvalArgs& args, const EvaluationOptions& run, bool reconstructs) {
  if (args.size > 0) return args.size;
  if (reconstructs) return static_cast<int>(run.codec->config().image_size);
  if (!needs_features(args) || run.network == nullptr || run.network->fits_pictures()) return 0;
  return static_cast<int>(run.network->size());
}

SideOptions side_options(const EvalArgs& args, const EvaluationOptions& run, bool reconstructs,
                         int64_t& bad) {
  SideOptions options;
  options.size = picture_size(args, run, reconstructs);
  options.as_they_are = compares_pairs(args) && !reconstructs && args.size == 0;
  options.resize = resize_from_word(args.resize);
  options.batch = args.batch;
  options.threads = args.threads;
  options.codec = run.codec;
  options.codec_path = args.model;
  if (run.network != nullptr && run.network->fits_pictures()) {
    options.prepare = [&network = *run.network](const Image& picture) {
      return network.prepare(picture);
    };
  }
  if (reconstructs) run.codec->grid_side(options.size);  // an unfit --size before any work
  options.on_bad = [&bad, max = args.max_bad](const Error& error) {
    if (++bad > max) throw error;
    cli::say(error.where() + ": " + error.message());
  };
  return options;
}

void warn(const Json& line) {
  if (line["metric"] != "fid") return;
  const auto count = [&](const char* side) {
    return line[side].is_null() ? 0 : line[side].get<int64_t>();
  };
  const int64_t real = count("real"), fake = count("fake");
  int64_t fewest = real > 0 ? std::min(real, fake) : fake;
  if (fake == 0) fewest = real;
  const std::string counts = fmt::format(
      "fid of {} and {} pictures: ", real > 0 ? std::to_string(real) : "an unknown number of",
      fake > 0 ? std::to_string(fake) : "an unknown number of");
  if (fewest < kFewPictures) {
    cli::note(counts + fmt::format("under {} it is mostly bias; compare it at equal counts only",
                                   kFewPictures));
  } else if (fewest < kPapersPictures) {
    cli::note(counts + fmt::format("under {} its bias is larger than most differences; compare it "
                                   "at equal counts only",
                                   kPapersPictures));
  }
}

// The sides, opened, and what is measured of them.
struct Opened {
  EvaluationOptions run;
  std::unique_ptr<Side> real, fake;  // `fake` is null with one operand
  int64_t bad = 0;
  SideOptions options;

  Opened(const cli::Context& context, const EvalArgs& args);
  uint64_t total() const;  // pictures to be read; 0: not known
  void tell_skipped() const {
    if (bad > 0) cli::note(fmt::format("{} pictures skipped", bad));
  }
};

Opened::Opened(const cli::Context& context, const EvalArgs& args) {
  const auto& operands = context.operands;
  run.metrics = args.metrics;
  run.seed = static_cast<uint64_t>(args.seed);
  run.keep = args.sample;
  run.neighbours = args.neighbours;
  run.components = args.components;
  load(args, run);
  if (context.parsed.has("fid-mode") && (run.network == nullptr || !run.network->standard())) {
    throw Error::usage("--fid-mode", "says nothing about this network, which has one way only");
  }
  const bool reconstructs = args.save_stats.empty() && operands.size() == 1 && !judges_one(args);
  options = side_options(args, run, reconstructs, bad);
  real = open_side(operands[0], options);
  if (operands.size() == 2) fake = open_side(operands[1], options);
}

// A side of statistics has nothing to be read.
uint64_t Opened::total() const {
  const Side& other = fake != nullptr ? *fake : *real;  // what is reconstructed counts twice
  int64_t sum = 0;
  for (const Side* side : {static_cast<const Side*>(real.get()), &other}) {
    if (side->saved() != nullptr) continue;
    if (side->total() == 0) return 0;
    sum += side->total();
  }
  return static_cast<uint64_t>(sum);
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
  const std::pair<const char*, const char*> others[] = {
      {"clip", "clip"}, {"clip-merges", "clip"}, {"checker", "caption"}};
  for (const auto& [name, metric] : others) {
    if (context.parsed.has(name)) {
      throw Error::usage(std::string("--") + name, std::string("is for the metric ") + metric);
    }
  }
  if (operands.size() > 2) throw Error::usage(operands[2], "one operand too many");
  const bool saves = context.parsed.has("save-stats");
  if (args.wants("lpips") && args.lpips.empty()) {
    throw Error::usage("", "lpips needs --lpips, a file of its network and heads",
                       "python -c \"import lpips, torch; torch.save(lpips.LPIPS(net='alex')"
                       ".state_dict(), 'lpips-alex.pth')\" writes one");
  }
  if (context.parsed.has("lpips") && !args.wants("lpips")) {
    throw Error::usage("--lpips", "is for the metric lpips");
  }
  if (context.parsed.has("resize") && args.size == 0 && operands.size() == 2 && !saves &&
      !needs_features(args)) {
    throw Error::usage("--resize", "says nothing about pairs that keep their sizes",
                       "--size gives them another");
  }
  if (args.model.empty() && args.network.empty() &&
      (needs_features(args) || saves || operands.size() == 1)) {
    throw Error::usage("", "neither --model nor --network was given",
                       "features come from a codec or from a feature network");
  }
  if (saves) {
    if (operands.size() != 1) {
      throw Error::usage("--save-stats", "takes one set of pictures, which it describes");
    }
    for (const char* name : {"metrics", "table", "output"}) {
      if (!context.parsed.has(name)) continue;
      throw Error::usage(std::string("--") + name, "does nothing with --save-stats",
                         "it keeps what every metric needs");
    }
  } else if (operands.size() == 1 && args.model.empty() && !judges_one(args)) {
    throw Error::usage("", "one set of pictures and no --model to reconstruct it with",
                       "give REAL and FAKE, or a codec");
  }
  if (operands.size() == 2 && operands[0] == "-" && operands[1] == "-") {
    throw Error::usage("", "both sets cannot come from standard input");
  }
}

std::vector<Json> eval_pictures(const cli::Context& context, const EvalArgs& args) {
  Opened opened(context, args);
  const bool alone = judges_one(args) && opened.fake == nullptr;
  cli::Progress progress(context.common, "pictures", opened.total() / (alone ? 2 : 1));
  opened.run.on_progress = [&](int64_t done) { progress.update(static_cast<uint64_t>(done)); };
  const std::vector<Json> lines = alone
                                      ? evaluate_alone(*opened.real, opened.run)
                                      : evaluate(*opened.real, opened.fake.get(), opened.run);
  progress.finish();
  for (const Json& line : lines) warn(line);
  opened.tell_skipped();
  return lines;
}

void save_statistics(const cli::Context& context, const EvalArgs& args, Output output) {
  Opened opened(context, args);
  cli::Progress progress(context.common, "pictures", opened.total() / 2);
  opened.run.on_progress = [&](int64_t done) { progress.update(static_cast<uint64_t>(done)); };
  const SavedStatistics saved = measure_side(*opened.real, opened.run);
  progress.finish();
  write_statistics(std::move(output), saved);
  opened.tell_skipped();
}

}  // namespace vq
