// vq-sample: a model and prompts in, token grids out.

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "formats/error.h"
#include "formats/prompts.h"
#include "formats/token_grid.h"
#include "lib/runtime/device.h"
#include "lib/sampling/jobs.h"
#include "tools/cli/options.h"
#include "tools/cli/run.h"
#include "tools/cli/terminal.h"

namespace {

struct {
  std::string model, output = "-", device = "cpu", dtype = "fp32", shard;
  std::vector<std::string> prompts;
  int64_t count = 1, batch = 16, seed = 0;
  int threads = 0, steps = 0, level = 1, top_k = 0;
  double guidance = 0, temperature = 1, top_p = 0;
  bool text = false, no_history = false, force = false;
} args;

const vq::cli::Command command = {
    .name = "vq-sample",
    .summary = "Turn prompts into token grids.",
    .usage = {"[options] -m MODEL [PROMPTS...]"},
    .example =
        "echo 'a red bird' | vq-sample -m bird.safetensors -n 4 | vq-decode -m codec.safetensors "
        "-o out/",
    .options = {
        {.letter = 'm', .name = "model", .value = "MODEL", .help = "the diffusion model",
         .target = &args.model, .required = true},
        {.letter = 'o', .name = "output", .value = "TOKENS",
         .help = "where the tokens go, - is standard output", .target = &args.output},
        {.letter = 'p', .name = "prompt", .value = "TEXT", .help = "a prompt; may be given again",
         .target = &args.prompts,
         .more = "A caption, or the name or number of a class. With it, no prompts are read from "
                 "standard input."},
        {.letter = 'n', .name = "count", .value = "N", .help = "grids for each prompt",
         .target = &args.count, .min = 1, .max = 1e9},
        {.letter = 's', .name = "seed", .value = "N", .help = "seed of the noise",
         .target = &args.seed, .min = 0,
         .more = "Record i depends on the model, its prompt, the seed and i alone."},
        {.name = "steps", .value = "N", .help = "inference steps, 0: as the model suggests",
         .target = &args.steps, .min = 0, .max = 100000,
         .more = "May be fewer or more than the model was trained with."},
        {.letter = 'g', .name = "guidance", .value = "W",
         .help = "guidance scale, 1 is off, 0: as the model suggests", .target = &args.guidance,
         .min = 0, .max = 100,
         .more = "W is s + 1 with the s of the paper. Above 1 the network also guesses without "
                 "the prompt."},
        {.name = "top-p", .value = "P",
         .help = "truncation: keep this much of each guess, 0: as the model suggests",
         .target = &args.top_p, .min = 0, .max = 1,
         .more = "The most likely tokens up to and with the one that crosses P. 1 keeps all."},
        {.name = "top-k", .value = "K", .help = "keep the K most likely tokens, 0: all",
         .target = &args.top_k, .min = 0, .max = 65536},
        {.name = "temperature", .value = "T", .help = "divides the logarithms of each guess",
         .target = &args.temperature, .min = 0.01, .max = 100},
        {.name = "shard", .value = "I/N",
         .help = "only every N-th record, from record I, 0 <= I < N", .target = &args.shard,
         .more = "All shards together give the records of a run without it."},
        {.letter = 'b', .name = "batch", .value = "N", .help = "grids sampled together",
         .target = &args.batch, .min = 1, .max = 65536, .more = "Speed and memory only."},
        {.letter = 'd', .name = "device", .value = "DEVICE", .help = "cpu, cuda, cuda:1, ...",
         .target = &args.device},
        {.name = "dtype", .value = "TYPE", .help = "precision of products", .target = &args.dtype,
         .choices = {"auto", "fp32", "bf16"},
         .more = "auto is bf16 where the device has it in hardware. fp32 gives the same tokens "
                 "for every batch size."},
        {.letter = 'j', .name = "threads", .value = "N", .help = "threads, 0: all cores",
         .target = &args.threads, .min = 0, .max = 1024},
        {.letter = 't', .name = "text", .help = "write the text spelling, one record a line",
         .target = &args.text},
        {.name = "level", .value = "N", .help = "zstd compression level", .target = &args.level,
         .min = 1, .max = 19},
        {.name = "no-history", .help = "leave the history out of the header",
         .target = &args.no_history, .more = "For comparing files byte by byte."},
        {.letter = 'f', .name = "force", .help = "replace an existing file; write to a terminal",
         .target = &args.force}}};

struct Shard {
  uint64_t index = 0, count = 1;
};

Shard parse_shard(const std::string& text) {
  Shard shard;
  if (text.empty()) return shard;
  char rest = 0;
  unsigned long long i = 0, n = 0;
  const bool digits =
      text.find_first_not_of("0123456789/") == std::string::npos && text.size() < 24;
  if (!digits || std::sscanf(text.c_str(), "%llu/%llu%c", &i, &n, &rest) != 2 || i >= n) {
    throw vq::Error::usage("--shard", "'" + text + "' is not I/N with 0 <= I < N");
  }
  return {i, n};
}

// Queues records until a batch is full, then samples, writes and hands them on.
class Batches {
 public:
  Batches(const vq::DiffusionModel& model, vq::SamplerOptions options, vq::Precision precision,
          bool hand_on, vq::TokenWriter& writer, vq::cli::Progress& progress)
      : model_(model),
        options_(options),
        precision_(precision),
        hand_on_(hand_on),
        writer_(writer),
        progress_(progress) {}

  void add(const vq::Prompt& prompt, const std::string& where, Shard shard) {
    for (int64_t copy = 0; copy < args.count; ++copy, ++next_) {
      if (next_ % shard.count != shard.index) continue;
      try {
        waiting_.push_back(
            vq::make_job(model_.condition(), prompt, options_.seed, next_, copy, args.count));
      } catch (const vq::Error& e) {
        throw e.within(where);
      }
      if (static_cast<int64_t>(waiting_.size()) >= args.batch) sample_waiting();
    }
    const auto& vocabulary = model_.condition().vocabulary();
    if (vocabulary && !vocabulary->knows(prompt.text)) {
      vq::cli::note(where + ": holds characters the model never saw: " + prompt.text);
    }
  }

  void sample_waiting() {
    const vq::AutocastScope autocast(model_.device(), precision_);
    vq::sample_jobs(model_, options_, waiting_);
    for (const vq::Job& job : waiting_) writer_.write(job.record);
    if (hand_on_) writer_.flush();  // the next program works on these while we sample on
    progress_.update(done_ += waiting_.size());
    waiting_.clear();
  }

 private:
  const vq::DiffusionModel& model_;
  vq::SamplerOptions options_;
  vq::Precision precision_;
  bool hand_on_;
  vq::TokenWriter& writer_;
  vq::cli::Progress& progress_;
  std::vector<vq::Job> waiting_;
  uint64_t next_ = 0, done_ = 0;
};

// What the user did not say, the model suggests.
vq::SamplerOptions sampler_options(const vq::DiffusionModel& model) {
  const vq::Json& suggested = model.config().suggested;
  vq::SamplerOptions options;
  options.steps = args.steps > 0 ? args.steps : suggested.value("steps", 0);
  options.guidance = args.guidance > 0 ? args.guidance : suggested.value("guidance", 1.0);
  options.truncation.top_p = args.top_p > 0 ? args.top_p : suggested.value("top_p", 1.0);
  options.truncation.top_k = args.top_k;
  options.truncation.temperature = args.temperature;
  options.seed = static_cast<uint64_t>(args.seed);
  if (options.steps == 0) options.steps = model.schedule().timesteps();
  if (args.guidance > 1 && model.condition().config().kind == vq::ConditionKind::none) {
    throw vq::Error::usage("--guidance", "this model has no condition to be guided by");
  }
  return options;
}

vq::GridHeader make_header(const vq::DiffusionModel& model, const vq::SamplerOptions& options,
                           const vq::cli::Context& context) {
  vq::GridHeader header = model.grid_header();
  vq::Json entry = vq::cli::history_entry(context);
  entry["model"] = model.identity();
  entry["seed"] = options.seed;
  entry["steps"] = options.steps;
  entry["guidance"] = options.guidance;
  entry["paper_s"] = options.guidance - 1;
  entry["top_p"] = options.truncation.top_p;
  header.history.push_back(entry);
  const auto& classes = model.condition().config().classes;
  if (!classes.empty()) header.more["classes"] = classes;
  return header;
}

int run(const vq::cli::Context& context) {
  const Shard shard = parse_shard(args.shard);
  vq::cli::refuse_terminal_output(args.text ? "text" : args.output, args.force);
  const at::Device device = vq::open_device(args.device);
  const vq::Precision precision = vq::choose_precision(args.dtype, device);
  vq::set_threads(args.threads);
  const auto model = vq::DiffusionModel::load(args.model, device);
  const vq::SamplerOptions options = sampler_options(*model);
  const bool prompted = model->condition().config().kind != vq::ConditionKind::none;
  const bool reads = prompted && (args.prompts.empty() || !context.operands.empty());
  if (!prompted && (!args.prompts.empty() || !context.operands.empty())) {
    throw vq::Error::usage(args.model, "this model has no condition: it takes no prompts");
  }
  if (reads) vq::cli::refuse_terminal_input(context.operands);

  vq::TokenWriterOptions how{.spelling = args.text ? vq::Spelling::text : vq::Spelling::binary,
                             .level = args.level,
                             .history = !args.no_history};
  how.max_wait = 0;  // batches are flushed as they end
  vq::Output output = vq::Output::open(args.output, args.force);
  // Nobody reads a file while it is written, and comparing bytes needs blocks that do not depend on
  // the batch.
  const bool hand_on = output.live() && !args.no_history;
  vq::TokenWriter writer(std::move(output), make_header(*model, options, context), how);
  vq::cli::Progress progress(context.common, "grids",
                             reads ? 0
                                   : static_cast<uint64_t>(args.count) *
                                         std::max<size_t>(1, args.prompts.size()) / shard.count);
  Batches batches(*model, options, precision, hand_on, writer, progress);
  if (!prompted) batches.add({}, args.model, shard);
  for (const std::string& text : args.prompts) {
    if (text.find_first_not_of(" \t") == std::string::npos)
      throw vq::Error::usage("--prompt", "is empty");
    batches.add(vq::parse_prompt(text, "--prompt"), "--prompt", shard);
  }
  if (reads) {
    vq::PromptReader prompts(context.operands.empty() ? std::vector<std::string>{"-"}
                                                      : context.operands);
    for (vq::Prompt prompt; prompts.next(prompt);) {
      batches.add(prompt, prompts.where(), shard);
      if (!prompts.ready())
        batches.sample_waiting();  // nobody waits for prompts that are not written yet
    }
  }
  batches.sample_waiting();
  progress.finish();
  writer.close();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return vq::cli::run(command, argc, argv, run, vq::describe_torch_exception);
}
