// vq-eval: two sets of pictures in, numbers that judge one by the other out.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "formats/metrics.h"
#include "lib/runtime/device.h"
#include "lib/scoring/evaluation.h"
#include "lib/scoring/features.h"
#include "lib/scoring/side.h"
#include "tools/cli/options.h"
#include "tools/cli/run.h"
#include "tools/cli/terminal.h"

namespace {

constexpr int64_t kFewPictures = 2048;
constexpr int kSizeWithoutNetwork = 256;

struct {
  std::vector<std::string> metrics = {"fid"};
  std::string model, network, output = "-", device = "cpu", resize = "center";
  int64_t batch = 32, max_bad = 0, seed = 0;
  int size = 0, threads = 0;
  bool table = false, force = false;
} args;

const vq::cli::Command command = {
    .name = "vq-eval",
    .summary = "Judge pictures by numbers.",
    .usage = {"[options] -m CODEC|--network FILE REAL FAKE", "[options] -m CODEC REAL"},
    .example = "vq-sample -m bird.safetensors -n 2048 | vq-eval -m codec.safetensors photos/ -",
    .options = {
        {.name = "metrics", .value = "LIST", .help = "what to measure",
         .target = &args.metrics, .choices = {"fid", "recon"},
         .more = "fid is the Frechet distance between the Gaussians fitted to the features of both "
                 "sets; lower is nearer. recon is the mean peak signal to noise ratio in dB "
                 "between pictures of the same key, or of the same place where a stream has no "
                 "keys. "
                 "Without FAKE the codec's reconstructions of REAL take its place."},
        {.letter = 'm', .name = "model", .value = "CODEC",
         .help = "codec of token grids; its latents give the features", .target = &args.model},
        {.name = "network", .value = "FILE", .help = "take the features from this network instead",
         .target = &args.network,
         .more = "A codec, or a feature network in a safetensors file. Numbers taken with "
                 "different networks cannot be compared; the output names the network and its "
                 "hash."},
        {.letter = 'o', .name = "output", .value = "FILE",
         .help = "where the numbers go, - is standard output", .target = &args.output},
        {.name = "table", .help = "a table for people instead of JSON lines",
         .target = &args.table},
        {.name = "size", .value = "N", .help = "pixels a side at which pictures are compared",
         .target = &args.size, .min = 0, .max = 8192,
         .more = "0 is what the network looks at. Other pictures are made square and resampled, "
                 "token grids after decoding."},
        {.name = "resize", .value = "HOW", .help = "how other shapes become square",
         .target = &args.resize, .choices = {"center", "squash"}},
        {.letter = 'b', .name = "batch", .value = "N", .help = "pictures taken together",
         .target = &args.batch, .min = 1, .max = 65536},
        {.letter = 'd', .name = "device", .value = "DEVICE", .help = "cpu, cuda, cuda:1, ...",
         .target = &args.device},
        {.letter = 'j', .name = "threads", .value = "N", .help = "threads, 0: all cores",
         .target = &args.threads, .min = 0, .max = 1024},
        {.letter = 's', .name = "seed", .value = "N",
         .help = "chooses the pictures that the standard error is taken from",
         .target = &args.seed, .min = 0},
        {.name = "max-bad", .value = "N", .help = "unreadable pictures to skip before giving up",
         .target = &args.max_bad, .min = 0, .more = "Each is named on standard error."},
        {.letter = 'f', .name = "force", .help = "replace an existing file",
         .target = &args.force}},
    .min_operands = 1,
    .max_operands = 2};

bool wanted(const char* metric) {
  return std::find(args.metrics.begin(), args.metrics.end(), metric) != args.metrics.end();
}

void check_usage(const std::vector<std::string>& operands) {
  if (args.model.empty() && args.network.empty() && (wanted("fid") || operands.size() == 1)) {
    throw vq::Error::usage("", "neither --model nor --network was given",
                           "features come from a codec or from a feature network");
  }
  if (operands.size() == 1 && args.model.empty()) {
    throw vq::Error::usage("", "one set of pictures and no --model to reconstruct it with",
                           "give REAL and FAKE, or a codec");
  }
  if (operands.size() == 2 && operands[0] == "-" && operands[1] == "-") {
    throw vq::Error::usage("", "both sets cannot come from standard input");
  }
}

// A number as JSON gives it and as people want it.
std::string cell(const vq::Json& value) {
  if (value.is_number_float()) {
    const double number = value;
    return std::isfinite(number) ? fmt::format("{:.4g}", number) : "-";
  }
  if (value.is_number()) return value.dump();
  return value.is_string() ? value.get<std::string>() : "-";
}

void write_results(const std::vector<vq::Json>& lines, vq::Output output) {
  if (args.table) {
    const char* row = "{:<8} {:>10} {:>10} {:>8} {:>8}  {}\n";
    output.write(fmt::format(fmt::runtime(row), "metric", "value", "error", "real", "fake", "by"));
    for (const vq::Json& line : lines) {
      output.write(fmt::format(fmt::runtime(row), cell(line["metric"]), cell(line["value"]),
                               cell(line["error"]), cell(line["real"]), cell(line["fake"]),
                               cell(line.value("network", vq::Json()))));
    }
    output.close();
    return;
  }
  vq::MetricsWriter writer(std::move(output));
  for (const vq::Json& line : lines) writer.write(line);
  writer.close();
}

void load(vq::EvaluationOptions& run) {
  const at::Device device = vq::open_device(args.device);
  if (!args.model.empty()) {
    auto codec = std::make_shared<vq::Codec>(vq::Codec::load(args.model));
    codec->to(device);
    run.codec = std::move(codec);
  }
  if (!args.network.empty()) {
    run.network = vq::load_features(args.network, device);
  } else if (run.codec != nullptr) {
    run.network = vq::codec_features(run.codec);
  }
}

// An explicit size, else what the codec works on or the network looks at.
int picture_size(const vq::EvaluationOptions& run, bool reconstructs) {
  if (args.size > 0) return args.size;
  if (reconstructs) return static_cast<int>(run.codec->config().image_size);
  return run.network != nullptr ? static_cast<int>(run.network->size()) : kSizeWithoutNetwork;
}

vq::SideOptions side_options(const vq::EvaluationOptions& run, bool reconstructs, int64_t& bad) {
  vq::SideOptions options{picture_size(run, reconstructs), vq::resize_from_word(args.resize),
                          args.batch, args.threads, run.codec, args.model, {}};
  if (reconstructs) run.codec->grid_side(options.size);  // an unfit --size before any work
  options.on_bad = [&bad](const vq::Error& error) {
    if (++bad > args.max_bad) throw error;
    vq::cli::say(error.where() + ": " + error.message());
  };
  return options;
}

void warn(const vq::Json& line) {
  const int64_t real = line["real"], fake = line["fake"];
  if (line["metric"] != "fid" || std::min(real, fake) >= kFewPictures) return;
  vq::cli::note(fmt::format("fid of {} and {} pictures: under {} it is mostly bias; compare it at "
                            "equal counts only",
                            real, fake, kFewPictures));
}

int evaluate(const vq::cli::Context& context) {
  const auto& operands = context.operands;
  check_usage(operands);
  // First of all: an existing file is refused before the work and not after it.
  vq::Output output = vq::Output::open(args.output, args.force);
  vq::set_threads(args.threads);
  vq::EvaluationOptions run;
  run.metrics = args.metrics;
  run.seed = static_cast<uint64_t>(args.seed);
  load(run);
  int64_t bad = 0;
  const vq::SideOptions options = side_options(run, operands.size() == 1, bad);
  const auto real = vq::open_side(operands[0], options);
  std::unique_ptr<vq::Side> fake;
  if (operands.size() == 2) fake = vq::open_side(operands[1], options);

  const int64_t other_total = fake != nullptr ? fake->total() : real->total();
  const bool known = real->total() > 0 && other_total > 0;
  vq::cli::Progress progress(context.common, "pictures", known ? real->total() + other_total : 0);
  run.on_progress = [&progress](int64_t done) { progress.update(static_cast<uint64_t>(done)); };
  const std::vector<vq::Json> lines = vq::evaluate(*real, fake.get(), run);
  progress.finish();
  write_results(lines, std::move(output));
  for (const vq::Json& line : lines) warn(line);
  if (bad > 0) vq::cli::note(fmt::format("{} pictures skipped", bad));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return vq::cli::run(command, argc, argv, evaluate, vq::describe_torch_exception);
}
