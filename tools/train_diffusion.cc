#include "tools/train_diffusion.h"

#include <fmt/format.h>

#include "formats/error.h"
#include "lib/runtime/device.h"
#include "lib/training/diffusion_trainer.h"
#include "tools/training_run.h"

namespace vq {
namespace {

struct {
  TrainingFiles files;
  std::string size = "small", schedule = "linear", objective = "bound", condition = "auto",
              optimiser = "adamw", rate_shape = "cosine", timesteps_drawn = "importance";
  int64_t layers = 0, width = 0, heads = 0, timesteps = 100, warmup = 200;
  int64_t text_layers = 2, text_width = 0, pieces = 4096, text_length = 77;
  double learning_rate = 0, muon_rate = 0.02, weight_decay = 0.045, clip_norm = 0.5,
         average_decay = 0.998;
  double condition_drop = 0.1, auxiliary_weight = 0, mask_weight = 1;
  double suggest_guidance = 0, suggest_top_p = 0;
  int suggest_steps = 0;
} args;

// The sizes by name; base and large are the paper's (section 4.1).
struct Size {
  const char* name;
  int64_t layers, width, heads;
  double learning_rate;
};
constexpr Size kSizes[] = {{"tiny", 4, 128, 4, 2e-3},
                           {"small", 8, 256, 8, 1e-3},
                           {"base", 19, 1024, 16, 2e-4},
                           {"large", 36, 1408, 16, 1e-4}};

std::vector<cli::Option> rows() {
  std::vector<cli::Option> list = {
      {.name = "size", .value = "NAME", .help = "layers, width and heads at once",
       .target = &args.size, .choices = {"tiny", "small", "base", "large"},
       .more = "4 x 128, 8 x 256, 19 x 1024 and 36 x 1408; the last two are the paper's."},
      {.name = "layers", .value = "N", .help = "transformer layers, 0: by --size",
       .target = &args.layers, .min = 0, .max = 1000},
      {.name = "width", .value = "N", .help = "width of a layer, 0: by --size",
       .target = &args.width, .min = 0, .max = 65536},
      {.name = "heads", .value = "N", .help = "attention heads, 0: by --size",
       .target = &args.heads, .min = 0, .max = 1024},
      {.name = "timesteps", .value = "T", .help = "diffusion steps", .target = &args.timesteps,
       .min = 1, .max = 100000},
      {.name = "schedule", .value = "NAME", .help = "how fast tokens turn into [mask]",
       .target = &args.schedule, .choices = {"linear", "replace", "cosine", "arccos"},
       .more = "linear is the released models'; replace also puts wrong tokens in (gamma to 0.9, "
               "beta to 0.1)."},
      {.name = "objective", .value = "NAME", .help = "what is made small",
       .target = &args.objective, .choices = {"bound", "masked"},
       .more = "bound is the variational bound at the steps 1 to T with the auxiliary x_0 term; "
               "masked is the\ncontinuous-time cross-entropy of what is hidden, for a schedule "
               "without replacement."},
      {.name = "condition", .value = "KIND", .help = "what the network listens to",
       .target = &args.condition, .choices = {"auto", "caption", "label", "none"},
       .more = "auto takes captions where the records have them, else labels, else nothing."},
      {.name = "condition-drop", .value = "P",
       .help = "share of conditions replaced by the learned null", .target = &args.condition_drop,
       .min = 0, .max = 1, .more = "Guidance needs some."},
      {.name = "text-layers", .value = "N", .help = "layers of the text encoder",
       .target = &args.text_layers, .min = 0, .max = 100},
      {.name = "text-width", .value = "N",
       .help = "width of the text encoder, 0: the network's, 512 at most",
       .target = &args.text_width, .min = 0, .max = 65536},
      {.name = "text-length", .value = "N", .help = "pieces of a caption that are heard, at most",
       .target = &args.text_length, .min = 1, .max = 1024},
      {.name = "pieces", .value = "N", .help = "size of the vocabulary, at most",
       .target = &args.pieces, .min = 16, .max = 1000000},
      {.name = "optimiser", .value = "NAME", .help = "adamw, or muon for the denoiser's matrices",
       .target = &args.optimiser, .choices = {"adamw", "muon"}},
      {.name = "learning-rate", .value = "R", .help = "AdamW's, 0: by --size",
       .target = &args.learning_rate, .min = 0, .max = 10},
      {.name = "muon-rate", .value = "R", .help = "Muon's", .target = &args.muon_rate, .min = 0,
       .max = 10},
      {.name = "warmup", .value = "N", .help = "steps until the learning rate is reached",
       .target = &args.warmup, .min = 0, .max = 1e9},
      {.name = "rate-shape", .value = "SHAPE", .help = "how the learning rate goes on",
       .target = &args.rate_shape, .choices = {"constant", "linear", "cosine"}},
      {.name = "weight-decay", .value = "D",
       .help = "decoupled, of tensors with two dimensions or more", .target = &args.weight_decay,
       .min = 0, .max = 10},
      {.name = "clip-norm", .value = "N", .help = "limit of the gradient's norm, 0: none",
       .target = &args.clip_norm, .min = 0},
      {.name = "average-decay", .value = "D",
       .help = "decay of the moving average of the weights", .target = &args.average_decay,
       .min = 0, .max = 0.999999},
      {.name = "timesteps-drawn", .value = "HOW", .help = "how t is drawn",
       .target = &args.timesteps_drawn, .choices = {"importance", "uniform", "stratified"},
       .more = "importance goes by how large the loss has been at each step; uniform takes all "
               "alike, record by record;\nstratified takes all alike and spreads them evenly over "
               "the batch."},
      {.name = "auxiliary-weight", .value = "W",
       .help = "of the x_0 term, 0: 5e-4 with captions, else 1e-3",
       .target = &args.auxiliary_weight, .min = 0, .more = "Not for the objective masked."},
      {.name = "mask-weight", .value = "W",
       .help = "of masked positions in the loss, the others having 1",
       .target = &args.mask_weight, .min = 0, .more = "Not for the objective masked."},
      {.name = "suggest-guidance", .value = "W",
       .help = "guidance scale that vq-sample takes by default", .target = &args.suggest_guidance,
       .min = 0, .max = 100},
      {.name = "suggest-top-p", .value = "P",
       .help = "truncation that vq-sample takes by default", .target = &args.suggest_top_p,
       .min = 0, .max = 1},
      {.name = "suggest-steps", .value = "N", .help = "steps that vq-sample takes by default",
       .target = &args.suggest_steps, .min = 0, .max = 100000}};
  const std::vector<cli::Option> shared = training_rows(args.files);
  list.insert(list.begin(), shared.begin(), shared.end());
  return list;
}

const Size& chosen_size() {
  for (const Size& size : kSizes) {
    if (args.size == size.name) return size;
  }
  throw Error::usage("--size", "'" + args.size + "' is not a size");
}

// The masked objective has one term and knows no wrong tokens: options about others would do
// nothing, and a schedule that ends with a tenth of the tokens in sight is not its own.
void check_objective(const cli::Parsed& parsed) {
  if (args.objective != "masked") return;
  for (const char* name : {"auxiliary-weight", "mask-weight"}) {
    if (!parsed.has(name)) continue;
    throw Error::usage(std::string("--") + name, "has no meaning with --objective masked");
  }
  if (args.schedule == "replace") {
    throw Error::usage("--schedule", "replace does not go with --objective masked",
                       "take linear, cosine or arccos");
  }
}

DiffusionModelConfig model_config(const TokenSet& set) {
  const Size& size = chosen_size();
  DiffusionModelConfig config;
  DenoiserConfig& d = config.denoiser;
  d.layers = args.layers > 0 ? args.layers : size.layers;
  d.width = args.width > 0 ? args.width : size.width;
  d.heads = args.heads > 0 ? args.heads : size.heads;
  d.grid_height = set.header.height, d.grid_width = set.header.width;
  d.codebook_size = set.header.codebook_size;
  d.timesteps = args.timesteps;
  TextEncoderConfig text;
  text.layers = args.text_layers;
  text.width = args.text_width > 0 ? args.text_width : std::min<int64_t>(512, d.width);
  text.heads = std::max<int64_t>(1, text.width / 32);
  if (text.width % text.heads != 0) throw Error::usage("--text-width", "is not a multiple of 32");
  config.condition = condition_for(set, args.condition, text);
  config.schedule = args.schedule, config.objective = args.objective;
  config.codec = set.header.codec;
  if (args.suggest_guidance > 0) config.suggested["guidance"] = args.suggest_guidance;
  if (args.suggest_top_p > 0) config.suggested["top_p"] = args.suggest_top_p;
  if (args.suggest_steps > 0) config.suggested["steps"] = args.suggest_steps;
  return config;
}

DiffusionTrainingOptions training_options(const DiffusionModelConfig& config, at::Device device) {
  DiffusionTrainingOptions o;
  const TrainingFiles& f = args.files;
  o.batch = f.batch, o.steps = f.steps, o.max_seconds = f.max_seconds;
  o.seed = static_cast<uint64_t>(f.seed);
  o.optimiser.method = args.optimiser;
  o.optimiser.learning_rate =
      args.learning_rate > 0 ? args.learning_rate : chosen_size().learning_rate;
  o.optimiser.muon_rate = args.muon_rate;
  o.optimiser.weight_decay = args.weight_decay;
  o.optimiser.clip_norm = args.clip_norm;
  o.warmup = args.warmup, o.rate_shape = args.rate_shape, o.average_decay = args.average_decay;
  o.condition_drop = config.condition.kind == ConditionKind::none ? 0 : args.condition_drop;
  o.timesteps_drawn = args.timesteps_drawn;
  const bool captions = config.condition.kind == ConditionKind::caption;
  o.loss.auxiliary_weight = args.objective == "masked" ? 0
                            : args.auxiliary_weight > 0 ? args.auxiliary_weight
                            : captions                  ? 5e-4
                                                        : 1e-3;
  o.loss.mask_weight = args.mask_weight;
  o.precision = o.optimiser.muon_precision = choose_precision(f.dtype, device);
  return o;
}

Json log_line(const DiffusionStep& s, int64_t batch) {
  return {{"step", s.step},
          {"seconds", s.seconds},
          {"loss", s.loss},
          {"rate", static_cast<double>(s.step * batch) / s.seconds},
          {"learning_rate", s.learning_rate},
          {"vlb", s.bits},
          {"x0", s.x0},
          {"accuracy", s.accuracy},
          {"gradient", s.gradient}};
}

}  // namespace

const cli::Command train_diffusion_command = {
    .name = "vq-train diffusion",
    .summary = "Train a diffusion model on token grids.",
    .usage = {"[options] -o MODEL [TOKENS...]"},
    .example =
        "vq-encode -m codec.safetensors photos/ | vq-train diffusion --max-seconds 3600 -o "
        "bird.safetensors",
    .options = rows()};

int train_diffusion(const cli::Context& context) {
  const TrainingFiles& files = args.files;
  if (files.steps <= 0 && files.max_seconds <= 0) {
    throw Error::usage("--steps", "how long? give --steps or --max-seconds");
  }
  check_objective(context.parsed);
  TrainingRun run(context, files);
  run.check_files();
  const at::Device device = open_device(files.device);
  start_computing(files.threads);
  if (context.operands.empty()) cli::refuse_terminal_input(context.operands);
  const TokenSet set = read_token_set(context.operands);

  DiffusionModelConfig config = model_config(set);
  Tokenizer tokenizer = vocabulary_for(set, config.condition, static_cast<int>(args.pieces),
                                       static_cast<int>(args.text_length));
  DiffusionModel model(config, std::move(tokenizer), static_cast<uint64_t>(files.seed));
  const DiffusionTrainingOptions options = training_options(model.config(), device);
  DiffusionTrainer trainer(model, set, options, device);
  cli::note(fmt::format("{} grids of {} x {}, K = {}, condition {}; {:.1f} million weights",
                        set.size(), set.header.height, set.header.width, set.header.codebook_size,
                        condition_word(config.condition.kind),
                        static_cast<double>(model.parameters().count()) / 1e6));
  if (files.resume) trainer.load_state(run.state_path());

  cli::catch_signals();
  const auto save_state = [&](const std::string& path) { trainer.save_state(path); };
  trainer.run([&](const DiffusionStep& s) {
    const double rate = static_cast<double>(s.step * files.batch) / s.seconds;
    const std::string extra =
        fmt::format("step {}, loss {:.3f}, x0 {:.3f}, {:.0f} images/s", s.step, s.loss, s.x0, rate);
    return run.told(s.step, s.done, extra, log_line(s, files.batch), save_state);
  });
  if (const auto status = run.stopped(trainer.steps_done(), save_state)) return *status;

  Json history = set.header.history;
  Json entry = cli::history_entry(context);
  entry["seed"] = files.seed;
  entry["steps"] = trainer.steps_done();
  history.push_back(entry);
  trainer.save(files.output, history, files.force || files.resume);
  run.finish();
  return 0;
}

}  // namespace vq
