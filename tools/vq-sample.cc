// vq-sample: a model and prompts in, token grids out.

#include <algorithm>
#include <optional>

#include "formats/error.h"
#include "formats/prompts.h"
#include "lib/runtime/device.h"
#include "tools/cli/options.h"
#include "tools/cli/run.h"
#include "tools/cli/terminal.h"
#include "tools/sample_batches.h"
#include "tools/sample_editing.h"
#include "tools/sample_output.h"
#include "tools/sampling_options.h"

namespace {

struct {
  std::string model, device = "cpu", dtype = "fp32", shard;
  std::vector<std::string> prompts;
  int64_t count = 1, batch = 16;
  double max_wait = 0;
  int threads = 0;
  vq::SamplingArgs sampling;
  vq::EditingArgs editing;
  vq::OutputArgs output;
} args;

std::vector<vq::cli::Option> rows() {
  std::vector<vq::cli::Option> all = {
      {.letter = 'm', .name = "model", .value = "MODEL", .help = "the diffusion model",
       .target = &args.model, .required = true},
      {.letter = 'p', .name = "prompt", .value = "TEXT", .help = "a prompt; may be given again",
       .target = &args.prompts,
       .more = "A caption, or the name or number of a class. With it, no prompts are read from "
               "standard input."},
      {.letter = 'n', .name = "count", .value = "N", .help = "grids for each prompt",
       .target = &args.count, .min = 1, .max = 1e9},
      {.letter = 's', .name = "seed", .value = "N", .help = "seed of the noise",
       .target = &args.sampling.seed, .min = 0,
       .more = "Record i depends on the model, its prompt, the seed and i alone."},
      {.name = "shard", .value = "I/N",
       .help = "only every N-th record, from record I, 0 <= I < N", .target = &args.shard,
       .more = "All shards together give the records of a run without it."},
      {.letter = 'b', .name = "batch", .value = "N", .help = "grids sampled together",
       .target = &args.batch, .min = 1, .max = 65536, .more = "Speed and memory only."},
      {.name = "max-wait", .value = "SECONDS",
       .help = "how long a batch may wait for prompts that fill it", .target = &args.max_wait,
       .min = 0, .max = 86400,
       .more = "0: what is there is sampled at once. Where prompts, or grids of --init, come one "
               "by one, a little patience gives fuller batches."},
      {.letter = 'd', .name = "device", .value = "DEVICE", .help = "cpu, cuda, cuda:1, ...",
       .target = &args.device},
      {.name = "dtype", .value = "TYPE", .help = "precision of products", .target = &args.dtype,
       .choices = {"auto", "fp32", "bf16", "int8"},
       .more = "auto is bf16 where the device has it in hardware. fp32 gives the same tokens "
               "for every batch size."},
      {.letter = 'j', .name = "threads", .value = "N", .help = "threads, 0: all cores",
       .target = &args.threads, .min = 0, .max = 1024}};
  for (const auto& part : {vq::output_rows(args.output), vq::sampling_rows(args.sampling),
                           vq::editing_rows(args.editing)}) {
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

const vq::cli::Command command = {
    .name = "vq-sample",
    .summary = "Turn prompts into token grids.",
    .usage = {"[options] -m MODEL [PROMPTS...]"},
    .example =
        "echo 'a red bird' | vq-sample -m bird.safetensors -n 4 | vq-decode -m codec.safetensors "
        "-o out/",
    .options = rows()};

// Those of --prompt.
std::vector<vq::Prompt> given_prompts() {
  std::vector<vq::Prompt> prompts;
  for (const std::string& text : args.prompts) {
    if (text.find_first_not_of(" \t") == std::string::npos)
      throw vq::Error::usage("--prompt", "is empty");
    prompts.push_back(vq::parse_prompt(text, "--prompt"));
  }
  return prompts;
}

void read_init(vq::InitGrids& grids, vq::SampleBatches& batches) {
  vq::Prompt prompt;
  std::vector<int32_t> start;
  while (grids.next(prompt, start)) {
    batches.add(prompt, grids.where(), start);
    if (!grids.ready(batches.patience(args.max_wait))) batches.sample_waiting();
  }
  if (grids.idle()) vq::cli::note("--init: no grid had a [mask], and all are as they were");
}

void read_prompts(const std::vector<std::string>& operands, const vq::Condition& condition,
                  vq::SampleBatches& batches) {
  vq::PromptReader prompts(
      operands.empty() ? std::vector<std::string>{"-"} : operands,
      [&](const vq::TokenRecord& record) { return vq::prompt_of(record, condition); });
  for (vq::Prompt prompt; prompts.next(prompt);) {
    batches.add(prompt, prompts.where());
    if (!prompts.ready(batches.patience(args.max_wait))) batches.sample_waiting();
  }
}

// The records of a run with this model: those of --init, or of the prompts, or `count` of no
// prompt.
int sample(const vq::cli::Context& context, const vq::DiffusionModel& model,
           const std::vector<vq::Prompt>& given, const vq::BatchOptions& how) {
  vq::JobOptions options = vq::sampling_options(context.parsed, args.sampling, model);
  const bool prompted = model.condition().config().kind != vq::ConditionKind::none;
  if (!prompted && (!given.empty() || !context.operands.empty()))
    throw vq::Error::usage(args.model, "this model has no condition: it takes no prompts");
  std::optional<vq::InitGrids> init;
  if (!args.editing.init.empty())
    init.emplace(args.editing, model, args.model, given.empty() ? nullptr : &given[0]);
  vq::set_editing(args.editing, model, init ? &init->header() : nullptr, options);
  const bool reads = prompted && !init && (given.empty() || !context.operands.empty());
  if (reads) vq::cli::refuse_terminal_input(context.operands);

  vq::SampleOutput output(args.output, vq::sample_header(context, model, options,
                                                         init ? &init->header() : nullptr));
  const uint64_t total = static_cast<uint64_t>(args.count) * std::max<size_t>(1, given.size());
  vq::cli::Progress progress(context.common, "grids", reads || init ? 0 : total / how.shard.count);
  vq::SampleBatches batches(model, options, how, output, progress);
  if (init) {
    read_init(*init, batches);
  } else {
    if (!prompted) batches.add({}, args.model);
    for (const vq::Prompt& prompt : given) batches.add(prompt, "--prompt");
    if (reads) read_prompts(context.operands, model.condition(), batches);
  }
  batches.sample_waiting();
  progress.finish();
  output.close();
  return 0;
}

int run(const vq::cli::Context& context) {
  vq::check_sampling(context.parsed, args.sampling);
  vq::check_editing(context, args.editing, args.prompts.size());
  vq::check_output(context.parsed, args.output);
  const std::vector<vq::Prompt> given = given_prompts();
  const vq::Shard shard = vq::parse_shard(args.shard);
  const at::Device device = vq::open_device(args.device);
  vq::start_computing(args.threads);
  const auto model = vq::DiffusionModel::load(args.model, device);
  const vq::Precision precision = vq::choose_precision(args.dtype, device);
  model->make_engine(precision);
  return sample(context, *model, given,
                {.count = args.count,
                 .batch = args.batch,
                 .shard = shard,
                 .precision = precision});
}

}  // namespace

int main(int argc, char** argv) {
  return vq::cli::run(command, argc, argv, run, vq::describe_torch_exception);
}
