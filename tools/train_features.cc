#include "tools/train_features.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "formats/dataset.h"
#include "formats/error.h"
#include "lib/runtime/device.h"
#include "lib/training/features_trainer.h"
#include "tools/training_run.h"

namespace vq {
namespace {

struct {
  TrainingFiles files = [] {
    TrainingFiles f;
    f.batch = 64;
    return f;
  }();
  std::string resize = "center", format = "auto", split = "all";
  int64_t image_size = 64, channels = 32, levels = 4, warmup = 50, max_bad = 0, memory = 2048;
  double learning_rate = 2e-3, weight_decay = 1e-2, average_decay = 0.99;
  bool no_flip = false;
} args;

std::vector<cli::Option> rows() {
  std::vector<cli::Option> list = training_rows(args.files);
  const std::vector<cli::Option> more = {
      {.name = "image-size", .value = "N", .help = "pixels a side", .target = &args.image_size,
       .min = 1, .max = 8192},
      {.name = "channels", .value = "N", .help = "channels of the first level",
       .target = &args.channels, .min = 8, .max = 1024, .more = "A multiple of 8."},
      {.name = "levels", .value = "N",
       .help = "levels, each of half the resolution and twice the channels",
       .target = &args.levels, .min = 1, .max = 8,
       .more = "The last one's channels are the features."},
      {.name = "learning-rate", .value = "R", .help = "AdamW's", .target = &args.learning_rate,
       .min = 0, .max = 10},
      {.name = "warmup", .value = "N", .help = "steps of rising learning rate",
       .target = &args.warmup, .min = 0, .max = 1e9},
      {.name = "weight-decay", .value = "D",
       .help = "decoupled, of tensors with two dimensions or more",
       .target = &args.weight_decay, .min = 0, .max = 10},
      {.name = "average-decay", .value = "D", .help = "decay of the moving average of the weights",
       .target = &args.average_decay, .min = 0, .max = 0.999999},
      {.name = "no-flip", .help = "do not mirror pictures", .target = &args.no_flip,
       .more = "For classes that their mirror image does not belong to."},
      {.name = "format", .value = "NAME", .help = "what the pictures come in, auto: as it looks",
       .target = &args.format, .choices = dataset_format_words(),
       .more = "See DATA SETS in vq-encode(1). Folders of folders are classes."},
      {.name = "split", .value = "NAME", .help = "which part of CUB-200-2011",
       .target = &args.split, .choices = {"all", "train", "test"}},
      {.name = "resize", .value = "HOW", .help = "how other shapes become square",
       .target = &args.resize, .choices = {"center", "squash"}},
      {.name = "max-bad", .value = "N", .help = "unreadable pictures to leave out before giving up",
       .target = &args.max_bad, .min = 0, .more = "Each is named on standard error."},
      {.name = "memory", .value = "MIB", .help = "pictures are kept in memory up to so much",
       .target = &args.memory, .min = 0, .max = 1 << 24}};
  list.insert(list.end(), more.begin(), more.end());
  return list;
}

// Names of all labels that occur; numbers where the set has no names.
std::vector<std::string> class_names(const Dataset& set) {
  int most = -1;
  for (const Example& example : set.examples) {
    if (example.label < 0) {
      throw Error(set.name, "has pictures without labels, which features are learnt from",
                  "sub-folders are labels, and so is \"label\" in a list");
    }
    most = std::max(most, example.label);
  }
  std::vector<std::string> names = set.classes;
  while (static_cast<int>(names.size()) <= most) names.push_back(std::to_string(names.size()));
  return names;
}

SmallClassifierConfig network_config(const Dataset& set) {
  SmallClassifierConfig config;
  config.image_size = args.image_size;
  config.channels = args.channels;
  config.levels = args.levels;
  config.classes = class_names(set);
  config.check(set.name);
  return config;
}

FeaturesTrainingOptions training_options(at::Device device) {
  FeaturesTrainingOptions o;
  const TrainingFiles& f = args.files;
  o.batch = f.batch, o.steps = f.steps, o.max_seconds = f.max_seconds;
  o.seed = static_cast<uint64_t>(f.seed);
  o.learning_rate = args.learning_rate, o.weight_decay = args.weight_decay;
  o.warmup = args.warmup, o.average_decay = args.average_decay, o.flip = !args.no_flip;
  o.precision = choose_precision(f.dtype, device);
  return o;
}

TrainingPictures read_pictures_of(const Dataset& set, const cli::Context& context) {
  std::vector<PictureSource> sources;
  for (const Example& example : set.examples) sources.push_back(example.picture);
  TrainingPictures::Options options;
  options.read = {.size = static_cast<int>(args.image_size),
                  .resize = resize_from_word(args.resize),
                  .threads = args.files.threads};
  options.max_bytes = static_cast<uint64_t>(args.memory) << 20;
  options.max_bad = args.max_bad;
  cli::Progress progress(context.common, "pictures read", set.examples.size());
  TrainingPictures pictures(std::move(sources), options, [&](int64_t done, int64_t) {
    progress.update(static_cast<uint64_t>(done));
  });
  progress.finish();
  for (const BadPicture& bad : pictures.bad()) {
    cli::say(bad.error.where() + ": " + bad.error.message());
  }
  return pictures;
}

Json log_line(const FeaturesStep& s) {
  return {{"step", s.step},
          {"seconds", s.seconds},
          {"loss", s.loss},
          {"rate", static_cast<double>(s.step * args.files.batch) / s.seconds},
          {"learning_rate", s.learning_rate},
          {"accuracy", s.accuracy}};
}

}  // namespace

const cli::Command train_features_command = {
    .name = "vq-train features",
    .summary = "Train a feature network on labelled pictures, for vq-eval.",
    .usage = {"[options] -o FEATURES IMAGES..."},
    .example = "vq-train features classes/ --max-seconds 600 -o features.safetensors",
    .options = rows(),
    .min_operands = 1};

int train_features(const cli::Context& context) {
  const TrainingFiles& files = args.files;
  if (files.steps <= 0 && files.max_seconds <= 0) {
    throw Error::usage("--steps", "how long? give --steps or --max-seconds");
  }
  TrainingRun run(context, files);
  run.check_files();
  const at::Device device = open_device(files.device);
  start_computing(files.threads);
  const Dataset set =
      open_datasets(context.operands, {.format = dataset_format_from_word(args.format),
                                       .split = dataset_split_from_word(args.split)});
  const SmallClassifierConfig config = network_config(set);
  TrainingPictures pictures = read_pictures_of(set, context);
  std::vector<int64_t> labels;
  for (const Example& example : set.examples) labels.push_back(example.label);

  FeaturesTrainer trainer(config, training_options(device), pictures, std::move(labels), device);
  cli::note(fmt::format("{} pictures of {} pixels a side, {} of them held out, {} classes; {:.1f} "
                        "million weights",
                        pictures.count(), config.image_size, trainer.held_out(),
                        config.classes.size(),
                        static_cast<double>(trainer.network().parameters.count()) / 1e6));
  if (files.resume) trainer.load_state(run.state_path());

  cli::catch_signals();
  const auto save_state = [&](const std::string& path) { trainer.save_state(path); };
  trainer.run([&](const FeaturesStep& s) {
    const std::string words =
        fmt::format("step {}, loss {:.4f}, {:.0f} % right", s.step, s.loss, 100 * s.accuracy);
    return run.told(s.step, s.done, words, log_line(s), save_state);
  });
  if (const auto status = run.stopped(trainer.steps_done(), save_state)) return *status;

  const double accuracy = trainer.held_out_accuracy();
  Json entry = cli::history_entry(context);
  entry["seed"] = files.seed;
  entry["steps"] = trainer.steps_done();
  entry["pictures"] = pictures.count();
  entry["held_out_accuracy"] = accuracy;
  trainer.save(files.output, Json::array({entry}), files.force || files.resume);
  run.finish();
  if (!std::isnan(accuracy)) {
    cli::note(fmt::format("{:.1f} % of the pictures held out are told right", 100 * accuracy));
  }
  return 0;
}

}  // namespace vq
