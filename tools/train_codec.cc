#include "tools/train_codec.h"

#include <fmt/format.h>

#include <charconv>

#include "formats/dataset.h"
#include "formats/error.h"
#include "lib/runtime/device.h"
#include "lib/training/codec_trainer.h"
#include "tools/training_run.h"

namespace vq {
namespace {

struct {
  TrainingFiles files = [] {
    TrainingFiles f;
    f.batch = 64;
    return f;
  }();
  std::string size = "tiny", multipliers, linear = "auto", resize = "center";
  std::string format = "auto", split = "all";
  int64_t patch = 0, channels = 0, blocks = -1, groups = -1, code_width = 0, codes = 0;
  int64_t image_size = 0;
  int64_t warmup = 100, restart_after = 60, max_bad = 0, memory = 2048;
  double learning_rate = 0, weight_decay = 1e-4, clip_norm = 1, average_decay = 0.995;
  double commitment = 0.25, codebook_decay = 0.98;
  bool flip = false;
} args;

double rate_of_size(const std::string& size) {
  if (size == "tiny") return 2e-3;
  if (size == "small") return 1e-3;
  return 2e-4;
}

std::vector<cli::Option> network_rows() {
  return {
      {.name = "size", .value = "NAME", .help = "the network's numbers at once",
       .target = &args.size,
       .choices = CodecConfig::names(),
       .more = "tiny learns 32 x 32 pictures in minutes on two cores, small suits 64 to 128 "
               "pixels; base and large are the networks of the released codecs (ITHQ, "
               "OpenImages)."},
      {.name = "image-size", .value = "N", .help = "pixels a side, 0: by --size",
       .target = &args.image_size, .min = 0, .max = 8192},
      {.name = "codes", .value = "K", .help = "codes to start with, 0: by --size",
       .target = &args.codes, .min = 0, .max = 65536,
       .more = "Codes that are not used at the end are dropped."},
      {.name = "code-width", .value = "N", .help = "numbers in a code, 0: by --size",
       .target = &args.code_width, .min = 0, .max = 4096},
      {.name = "channels", .value = "N", .help = "channels of the first level, 0: by --size",
       .target = &args.channels, .min = 0, .max = 4096},
      {.name = "multipliers", .value = "LIST",
       .help = "of the channels, level by level (1,2,4); empty: by --size",
       .target = &args.multipliers,
       .more = "Each level after the first halves the resolution: a token stands for patch * "
               "2^(levels-1) pixels a side."},
      {.name = "patch", .value = "N",
       .help = "pixels folded into channels at both ends, 0: by --size",
       .target = &args.patch, .min = 0, .max = 8, .more = "1, 2, 4 or 8."},
      {.name = "blocks", .value = "N", .help = "residual blocks a level, -1: by --size",
       .target = &args.blocks, .min = -1, .max = 16},
      {.name = "linear", .value = "WHEN",
       .help = "linear paths beside both halves, auto: by --size",
       .target = &args.linear, .choices = {"auto", "on", "off"},
       .more = "They hold the principal components of the cells and stay as they are; the network "
               "learns what they miss, which saves a small one most of its training."},
      {.name = "groups", .value = "N",
       .help = "groups of the normalisation, 0: none, -1: by --size",
       .target = &args.groups, .min = -1, .max = 4096,
       .more = "Without it a step of a small network is a third faster."}};
}

std::vector<cli::Option> learning_rows() {
  return {
      {.name = "learning-rate", .value = "R", .help = "AdamW's, 0: by --size",
       .target = &args.learning_rate, .min = 0, .max = 10},
      {.name = "warmup", .value = "N", .help = "steps without quantisation, learning rate rising",
       .target = &args.warmup, .min = 0, .max = 1e9},
      {.name = "commitment", .value = "W", .help = "weight of the distance to the code",
       .target = &args.commitment, .min = 0, .max = 100},
      {.name = "codebook-decay", .value = "D", .help = "decay of the codes' moving averages",
       .target = &args.codebook_decay, .min = 0, .max = 0.99999},
      {.name = "restart-after", .value = "N",
       .help = "steps without use before a code is moved, 0: never",
       .target = &args.restart_after, .min = 0, .max = 1e9},
      {.name = "weight-decay", .value = "D",
       .help = "decoupled, of tensors with two dimensions or more",
       .target = &args.weight_decay, .min = 0, .max = 10},
      {.name = "clip-norm", .value = "N", .help = "limit of the gradient's norm, 0: none",
       .target = &args.clip_norm, .min = 0},
      {.name = "average-decay", .value = "D", .help = "decay of the moving average of the weights",
       .target = &args.average_decay, .min = 0, .max = 0.999999}};
}

std::vector<cli::Option> picture_rows() {
  return {
      {.name = "format", .value = "NAME", .help = "what the pictures come in, auto: as it looks",
       .target = &args.format, .choices = dataset_format_words(),
       .more = "See DATA SETS in vq-encode(1)."},
      {.name = "split", .value = "NAME", .help = "which part of CUB-200-2011",
       .target = &args.split, .choices = {"all", "train", "test"}},
      {.name = "resize", .value = "HOW", .help = "how other shapes become square",
       .target = &args.resize, .choices = {"center", "squash"},
       .more = "center keeps the centre square, squash all of the picture."},
      {.name = "flip", .help = "mirror every other picture, by chance", .target = &args.flip},
      {.name = "max-bad", .value = "N", .help = "unreadable pictures to leave out before giving up",
       .target = &args.max_bad, .min = 0, .more = "Each is named on standard error."},
      {.name = "memory", .value = "MIB", .help = "pictures are kept in memory up to so much",
       .target = &args.memory, .min = 0, .max = 1 << 24,
       .more = "Beyond it they are read again whenever they are needed."}};
}

std::vector<cli::Option> rows() {
  std::vector<cli::Option> list = training_rows(args.files);
  for (const auto& more : {network_rows(), learning_rows(), picture_rows()}) {
    list.insert(list.end(), more.begin(), more.end());
  }
  return list;
}

std::vector<int64_t> parse_multipliers(const std::string& text) {
  std::vector<int64_t> list;
  const char* at = text.data();
  const char* end = at + text.size();
  while (at <= end) {
    int64_t number = 0;
    const auto [stop, error] = std::from_chars(at, end, number);
    if (error != std::errc() || number < 1 || (stop != end && *stop != ',')) {
      throw Error::usage("--multipliers", fmt::format("'{}' is not a list like 1,2,4", text));
    }
    list.push_back(number);
    at = stop + 1;
  }
  return list;
}

CodecConfig codec_config() {
  CodecConfig c = CodecConfig::named(args.size);
  if (args.image_size > 0) c.image_size = args.image_size;
  if (args.codes > 0) c.codes = args.codes;
  if (args.channels > 0) c.channels = args.channels;
  if (args.patch > 0) c.patch = args.patch;
  if (args.groups >= 0) c.groups = args.groups;
  if (args.blocks >= 0) c.encoder_blocks = c.decoder_blocks = args.blocks;
  if (!args.multipliers.empty()) c.multipliers = parse_multipliers(args.multipliers);
  if (args.linear != "auto") c.linear = args.linear == "on";
  if (args.code_width > 0) {
    if (c.latent == c.code_width) c.latent = args.code_width;
    c.code_width = args.code_width;
  }
  try {
    c.check("");
  } catch (const Error& e) {
    throw Error::usage("codec", e.message());
  }
  return c;
}

CodecTrainingOptions training_options(at::Device device) {
  CodecTrainingOptions o;
  const TrainingFiles& f = args.files;
  o.batch = f.batch, o.steps = f.steps, o.max_seconds = f.max_seconds;
  o.seed = static_cast<uint64_t>(f.seed);
  o.learning_rate = args.learning_rate > 0 ? args.learning_rate : rate_of_size(args.size);
  o.weight_decay = args.weight_decay, o.clip_norm = args.clip_norm;
  o.warmup = args.warmup, o.average_decay = args.average_decay;
  o.commitment = args.commitment, o.flip = args.flip;
  o.codebook = {.decay = args.codebook_decay, .restart_after = args.restart_after};
  o.precision = choose_precision(f.dtype, device);
  return o;
}

TrainingPictures read_training_pictures(const Dataset& set, const CodecConfig& config,
                                        const cli::Context& context) {
  std::vector<PictureSource> sources;
  for (const Example& example : set.examples) sources.push_back(example.picture);
  TrainingPictures::Options options;
  options.read = {.size = static_cast<int>(config.image_size),
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

Json log_line(const CodecStep& s) {
  const double pictures = static_cast<double>(s.step * args.files.batch);
  return {{"step", s.step},
          {"seconds", s.seconds},
          {"loss", s.loss},
          {"rate", pictures / s.seconds},
          {"learning_rate", s.learning_rate},
          {"recon", s.recon},
          {"psnr", s.psnr},
          {"codes_used", s.codes_used},
          {"perplexity", s.perplexity},
          {"restarted", s.restarted}};
}

std::string progress_words(const CodecStep& s) {
  return fmt::format("step {}, loss {:.4f}, {:.1f} dB, {} codes, {:.0f} pictures/s", s.step, s.loss,
                     s.psnr, s.codes_used,
                      static_cast<double>(s.step * args.files.batch) / s.seconds);
}

Json history_of(const cli::Context& context, const CodecTrainer& trainer, int64_t pictures,
                const CodecSummary& summary) {
  Json entry = cli::history_entry(context);
  entry["seed"] = args.files.seed;
  entry["steps"] = trainer.steps_done();
  entry["pictures"] = pictures;
  entry["psnr"] = summary.psnr;
  return Json::array({entry});
}

}  // namespace

const cli::Command train_codec_command = {
    .name = "vq-train codec",
    .summary = "Train a codec on pictures.",
    .usage = {"[options] -o CODEC IMAGES..."},
    .example = "vq-train codec photos/ --size small --max-seconds 3600 -o codec.safetensors",
    .options = rows(),
    .min_operands = 1};

int train_codec(const cli::Context& context) {
  const TrainingFiles& files = args.files;
  if (files.steps <= 0 && files.max_seconds <= 0) {
    throw Error::usage("--steps", "how long? give --steps or --max-seconds");
  }
  const CodecConfig config = codec_config();
  TrainingRun run(context, files);
  run.check_files();
  const at::Device device = open_device(files.device);
  start_computing(files.threads);
  const Dataset set =
      open_datasets(context.operands, {.format = dataset_format_from_word(args.format),
                                       .split = dataset_split_from_word(args.split)});
  TrainingPictures pictures = read_training_pictures(set, config, context);

  CodecTrainer trainer(config, training_options(device), pictures, device);
  const int64_t side = config.image_size / config.factor();
  cli::note(fmt::format("{} pictures of {} pixels a side, {} x {} tokens each, K = {}; "
                        "{:.1f} million weights",
                        pictures.count(), config.image_size, side, side, config.codes,
                        static_cast<double>(trainer.network().parameters.count()) / 1e6));
  if (files.resume) trainer.load_state(run.state_path());

  cli::catch_signals();
  const auto save_state = [&](const std::string& path) { trainer.save_state(path); };
  trainer.run([&](const CodecStep& s) {
    return run.told(s.step, s.done, progress_words(s), log_line(s), save_state);
  });
  if (const auto status = run.stopped(trainer.steps_done(), save_state)) return *status;

  const CodecSummary summary = trainer.finish();
  trainer.save(files.output, history_of(context, trainer, pictures.count(), summary),
               files.force || files.resume);
  run.finish();
  cli::note(fmt::format("{} codes are used, perplexity {:.0f}; training pictures come back at "
                        "{:.1f} dB",
                        summary.codes, summary.perplexity, summary.psnr));
  return 0;
}

}  // namespace vq
