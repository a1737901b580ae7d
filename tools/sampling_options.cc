#include "tools/sampling_options.h"

#include <cstdio>

#include "formats/error.h"

namespace vq {

namespace {

std::vector<cli::Option> order_rows(SamplingArgs& a) {
  const char* group = "Steps and order";
  return {
      {.name = "steps",
       .value = "N",
       .help = "inference steps, 0: as the model suggests",
       .target = &a.steps,
       .min = 0,
       .max = 100000,
       .group = group,
       .more = "May be fewer or more than the model was trained with. Orders that count tokens "
               "take away [mask] as the model's schedule would at the same times."},
      {.name = "spacing",
       .value = "SHAPE",
       .help = "how the times of the steps are spread",
       .target = &a.spacing,
       .choices = {"even", "cosine"},
       .group = group,
       .more = "cosine takes short steps first, when least is known, and long ones later: better "
               "with few steps."},
      {.name = "tokens-per-step",
       .value = "Z",
       .help = "tokens that become final in a step, 0: by --steps",
       .target = &a.tokens_per_step,
       .min = 0,
       .max = 65536,
       .group = group,
       .more = "For every order but ancestral and remask, in place of --steps."},
      {.name = "order",
       .value = "NAME",
       .help = "which tokens become final first",
       .target = &a.order,
       .choices = order_words(),
       .group = group,
       .more = "See\n.Sx ORDERS ."},
      {.name = "purity-weight",
       .value = "R",
       .help = "sharpens pure guesses, the paper's r",
       .target = &a.purity_weight,
       .min = 0,
       .max = 100,
       .group = group,
       .more = "With --order purity. The paper took 0.5 to 2."},
      {.name = "purity-norm",
       .value = "NORM",
       .help = "what purity is divided by",
       .target = &a.purity_norm,
       .choices = {"none", "max"},
       .group = group,
       .more = "With --order purity. none is the paper's, max the released code's: the largest of "
               "the grid."},
      {.name = "confidence-noise",
       .value = "X",
       .help = "noise on the confidence at the start",
       .target = &a.confidence_noise,
       .min = 0,
       .max = 1000,
       .group = group,
       .more = "With --order confidence. It shrinks to nothing as the grid fills."},
      {.name = "remask-rule",
       .value = "RULE",
       .help = "how the chance to go back is set",
       .target = &a.remask_rule,
       .choices = {"cap", "rescale", "confidence"},
       .group = group,
       .more = "With --order remask. cap is the strength where the process allows so much, rescale "
               "the strength times what it allows, confidence the same shared out so that doubtful "
               "tokens go first."},
      {.name = "remask-strength",
       .value = "X",
       .help = "chance of a token to go back in a step",
       .target = &a.remask_strength,
       .min = 0,
       .max = 1,
       .group = group,
       .more = "With --order remask."},
      {.name = "stride-posterior",
       .value = "RULE",
       .help = "what a step of the ancestral order takes back",
       .target = &a.stride_posterior,
       .choices = {"exact", "one-step"},
       .group = group,
       .more = "exact is all that lies between two steps. one-step is the released code's fast "
               "mode, for comparison: it leaves most of the grid to the last step."},
      {.name = "reuse",
       .value = "N",
       .help = "compute every cell anew in each N-th step only; faster, not exact",
       .target = &a.reuse,
       .min = 1,
       .max = 100000,
       .group = group,
       .more = "In the other steps only cells that are drawn, or whose token has changed, are "
               "computed; of all others the keys and values stay as they were. 1 is exact. Needs "
               "-d cpu, --dtype bf16 or int8, and a model without convolutions; see\n.Sx REUSE ."}};
}

std::vector<cli::Option> guidance_rows(SamplingArgs& a) {
  const char* group = "Guidance";
  return {
      {.letter = 'g',
       .name = "guidance",
       .value = "W",
       .help = "guidance scale, 1 is off, 0: as the model suggests",
       .target = &a.guidance,
       .min = 0,
       .max = 100,
       .group = group,
       .more = "W is s + 1 with the s of the paper. Above 1 the network also guesses without "
               "the prompt."},
      {.name = "guidance-schedule",
       .value = "SHAPE",
       .help = "how the guidance goes as the grid fills",
       .target = &a.guidance_schedule,
       .choices = {"constant", "linear", "cosine"},
       .group = group,
       .more = "linear and cosine begin with 1 and end with W."},
      {.name = "guidance-interval",
       .value = "LO,HI",
       .help = "shares of [mask] between which the guidance is on",
       .target = &a.guidance_interval,
       .group = group,
       .more = "A grid begins with the share 1 and ends with 0."},
      {.name = "guide",
       .value = "WHAT",
       .help = "what is guided",
       .target = &a.guide,
       .choices = {"x0", "posterior"},
       .group = group,
       .more = "x0 is the guess of the finished tokens. posterior is p(x_s | x_t), with the "
               "ancestral order and without truncation."},
      {.name = "null",
       .value = "KIND",
       .help = "what stands for no prompt in the guidance",
       .target = &a.null,
       .choices = {"learned", "empty", "zero"},
       .group = group,
       .more = "empty is the empty caption, and what a model without a learned null takes; zero "
               "takes features of zeros, which nothing was trained for."},
      {.name = "negative",
       .value = "TEXT",
       .help = "a prompt to move away from, for the null",
       .target = &a.negative,
       .group = group}};
}

std::vector<cli::Option> truncation_rows(SamplingArgs& a) {
  const char* group = "Truncation";
  return {{.name = "top-p",
           .value = "P",
           .help = "keep this much of each guess, 0: as the model suggests",
           .target = &a.top_p,
           .min = 0,
           .max = 1,
           .group = group,
           .more = "The most likely tokens up to and with the one that crosses P. 1 keeps all. The "
                   "paper's truncation rate."},
          {.name = "top-k",
           .value = "K",
           .help = "keep the K most likely tokens, 0: all",
           .target = &a.top_k,
           .min = 0,
           .max = 65536,
           .group = group},
          {.name = "temperature",
           .value = "T",
           .help = "divides the logarithms of each guess",
           .target = &a.temperature,
           .min = 0.01,
           .max = 100,
           .group = group,
           .more = "Below 1 likely tokens become likelier."}};
}

// Options that one order alone listens to.
struct OfOrder {
  const char *option, *order;
};
constexpr OfOrder kOfOrder[] = {
    {"stride-posterior", "ancestral"},  {"purity-weight", "purity"}, {"purity-norm", "purity"},
    {"confidence-noise", "confidence"}, {"remask-rule", "remask"},   {"remask-strength", "remask"}};

// Options that mean nothing without guidance.
constexpr const char* kOfGuidance[] = {"guidance-schedule", "guidance-interval", "guide", "null",
                                       "negative"};

void check_guidance_on(const cli::Parsed& parsed) {
  for (const char* name : kOfGuidance) {
    if (parsed.has(name)) {
      throw Error::usage(std::string("--") + name, "does nothing with guidance 1",
                         "give --guidance above 1 as well");
    }
  }
}

Guidance guidance_of(const SamplingArgs& args, double scale) {
  Guidance g;
  g.scale = scale;
  g.shape = args.guidance_schedule;
  g.on_posterior = args.guide == "posterior";
  char rest = 0;
  if (std::sscanf(args.guidance_interval.c_str(), "%lf,%lf%c", &g.low, &g.high, &rest) != 2) {
    throw Error::usage("--guidance-interval", "'" + args.guidance_interval + "' is not LO,HI");
  }
  g.check();
  return g;
}

void check_steps(const SamplingArgs& args) {
  if (args.spacing != "even") {
    const char* why = args.tokens_per_step > 0           ? "does nothing with --tokens-per-step"
                      : args.order == "first-hitting"    ? "does nothing with first-hitting"
                      : args.stride_posterior != "exact" ? "does not go with one-step strides"
                                                         : nullptr;
    if (why != nullptr) throw Error::usage("--spacing", why);
  }
  if (args.tokens_per_step == 0) return;
  if (args.order == "ancestral" || args.order == "remask") {
    throw Error::usage("--tokens-per-step",
                       "with --order " + args.order + " the number is left to chance",
                       "give --steps, or another --order");
  }
  if (args.steps > 0)
    throw Error::usage("--tokens-per-step", "and --steps: only one of them can be kept");
}

void check_posterior(const SamplingArgs& args) {
  if (args.guide != "posterior") return;
  if (args.order != "ancestral")
    throw Error::usage("--guide", "posterior goes with --order ancestral, not " + args.order);
  const char* option = args.top_p > 0 && args.top_p < 1 ? "--top-p"
                       : args.top_k > 0                 ? "--top-k"
                       : args.temperature != 1          ? "--temperature"
                                                        : nullptr;
  if (option != nullptr)
    throw Error::usage("--guide", std::string("posterior goes without ") + option);
}

Null null_of(const std::string& word) {
  if (word == "empty") return Null::empty;
  return word == "zero" ? Null::zero : Null::learned;
}

// What the options make of the guidance that this model suggests, and can have.
void set_guidance(const cli::Parsed& parsed, const SamplingArgs& args, const DiffusionModel& model,
                  JobOptions& options) {
  const ConditionKind kind = model.condition().config().kind;
  double scale =
      args.guidance > 0 ? args.guidance : model.config().suggested.value("guidance", 1.0);
  if (kind == ConditionKind::none) {
    if (args.guidance > 0 && args.guidance != 1)
      throw Error::usage("--guidance", "this model has no condition to be guided by");
    scale = 1;
  }
  SamplerOptions& o = options.sampler;
  o.guidance = guidance_of(args, scale);
  if (o.guidance.off()) check_guidance_on(parsed);
  o.null = null_of(args.null);
  if (o.null != Null::learned && kind == ConditionKind::label)
    throw Error::usage("--null", "this model's classes have a learned null only");
  if (parsed.has("null") && o.null == Null::learned &&
      model.condition().config().null_kind == NullKind::empty) {
    throw Error::usage("--null", "this model has no learned null", "give --null empty, or nothing");
  }
  if (args.negative.empty()) return;
  const Prompt negative = parse_prompt(args.negative, "--negative");
  try {
    options.negative = make_job(model.condition(), negative, 0, 0, 0, 1).prepared;
  } catch (const Error& e) {
    throw e.within("--negative");
  }
}

}  // namespace

std::vector<cli::Option> sampling_rows(SamplingArgs& args) {
  std::vector<cli::Option> all;
  for (auto rows : {order_rows, guidance_rows, truncation_rows}) {
    for (cli::Option& row : rows(args)) all.push_back(std::move(row));
  }
  return all;
}

void check_sampling(const cli::Parsed& parsed, const SamplingArgs& args) {
  for (const auto& [option, order] : kOfOrder) {
    if (parsed.has(option) && args.order != order) {
      throw Error::usage(std::string("--") + option,
                         std::string("is for --order ") + order + ", not " + args.order);
    }
  }
  check_steps(args);
  guidance_of(args, 1);  // for its checks
  if (args.guidance == 1) check_guidance_on(parsed);
  check_posterior(args);
  if (!parsed.has("negative")) return;
  if (args.negative.find_first_not_of(" \t") == std::string::npos)
    throw Error::usage("--negative", "is empty", "--null empty takes the empty caption");
  if (parsed.has("null"))
    throw Error::usage("--null", "and --negative: only one of them can be kept");
}

JobOptions sampling_options(const cli::Parsed& parsed, const SamplingArgs& args,
                            const DiffusionModel& model) {
  const Json& suggested = model.config().suggested;
  JobOptions options;
  set_guidance(parsed, args, model, options);
  SamplerOptions& o = options.sampler;
  o.order = parse_order(args.order);
  o.tokens_per_step = args.tokens_per_step;
  o.steps = args.steps;
  o.spacing = args.spacing == "cosine" ? Spacing::cosine : Spacing::even;
  o.one_step_posterior = args.stride_posterior == "one-step";
  if (o.steps == 0 && o.order != Order::first_hitting) {
    o.steps = suggested.value("steps", 0);
    if (o.steps == 0) o.steps = model.schedule().timesteps();
  }
  o.truncation.top_p = args.top_p > 0 ? args.top_p : suggested.value("top_p", 1.0);
  if (o.guidance.on_posterior && args.top_p == 0) o.truncation.top_p = 1;
  o.truncation.top_k = args.top_k;
  o.truncation.temperature = args.temperature;
  o.purity_weight = args.purity_weight;
  o.purity_relative = args.purity_norm == "max";
  o.confidence_noise = args.confidence_noise;
  o.remask_rule = args.remask_rule;
  o.remask_strength = args.remask_strength;
  if (args.reuse > 1 && (model.engine() == nullptr || !model.engine()->keeps())) {
    throw Error::usage("--reuse",
                       "needs -d cpu, --dtype bf16 or int8, a processor for them, and a model "
                       "without convolutions",
                       "see REUSE in vq-sample(1)");
  }
  o.reuse = args.reuse;
  o.seed = static_cast<uint64_t>(args.seed);
  return options;
}

Json sampling_history(const SamplerOptions& o) {
  Json entry = {{"seed", o.seed},
                {"order", order_words()[static_cast<size_t>(o.order)]},
                {"guidance", o.guidance.scale},
                {"paper_s", o.guidance.scale - 1},
                {"top_p", o.truncation.top_p}};
  if (o.tokens_per_step > 0)
    entry["tokens_per_step"] = o.tokens_per_step;
  else if (o.steps > 0)
    entry["steps"] = o.steps;
  if (o.truncation.top_k > 0) entry["top_k"] = o.truncation.top_k;
  if (o.truncation.temperature != 1) entry["temperature"] = o.truncation.temperature;
  if (!o.guidance.off()) {
    entry["guidance_schedule"] = o.guidance.shape;
    entry["guidance_interval"] = {o.guidance.low, o.guidance.high};
    entry["guide"] = o.guidance.on_posterior ? "posterior" : "x0";
  }
  if (o.spacing == Spacing::cosine) entry["spacing"] = "cosine";
  if (o.one_step_posterior) entry["stride_posterior"] = "one-step";
  if (o.reuse > 1) entry["reuse"] = o.reuse;
  if (o.order == Order::purity) {
    entry["purity_weight"] = o.purity_weight;
    entry["purity_norm"] = o.purity_relative ? "max" : "none";
  }
  if (o.order == Order::confidence) entry["confidence_noise"] = o.confidence_noise;
  if (o.order == Order::remask) {
    entry["remask_rule"] = o.remask_rule;
    entry["remask_strength"] = o.remask_strength;
  }
  return entry;
}

}  // namespace vq
