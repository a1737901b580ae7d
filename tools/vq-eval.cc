// vq-eval: pictures against pictures, or a model against tokens, in; numbers out, and plots of
// them.

#include <algorithm>

#include "formats/error.h"
#include "formats/metrics.h"
#include "lib/runtime/device.h"
#include "tools/cli/options.h"
#include "tools/cli/run.h"
#include "tools/eval.h"

namespace {

constexpr const char* kPlots = "Plots";

vq::EvalArgs args;

const vq::cli::Command command = {
    .name = "vq-eval",
    .summary = "Judge pictures, or a diffusion model, by numbers.",
    .usage = {"[options] -m CODEC|--network FILE REAL FAKE", "[options] -m CODEC REAL",
              "--save-stats FILE.npz -m CODEC|--network FILE REAL",
              "--metrics clip --clip FILE --clip-merges FILE [options] PICTURES",
              "--metrics caption --checker COMMAND [options] PICTURES...",
              "--metrics usage TOKENS...",
              "--metrics bits,purity [options] -m MODEL TOKENS...",
              "--plot FILE.png [-x FIELD] [options] [LINES...]"},
    .example = "vq-sample -m bird.safetensors -n 2048 | vq-eval -m codec.safetensors photos/ -",
    .options = {
        {.name = "metrics", .value = "LIST", .help = "what to measure", .target = &args.metrics,
         .choices = {"fid", "kid", "is", "prdc", "qs", "ds", "recon", "lpips", "clip", "caption",
                     "usage", "bits", "purity"},
         .more = "fid is the Frechet distance between the Gaussians fitted to the features of both "
                 "sets, kid their distance by a kernel; lower is nearer. is, the inception score, "
                 "is of FAKE alone, which may then be the only operand. prdc is precision, recall, "
                 "density and coverage. qs is how typical of REAL a picture of FAKE is, ds whether "
                 "all kinds of REAL are there. "
                 "recon is the mean peak signal to noise ratio in dB, and the structural "
                 "similarity, between pictures of the same key, or of the same place where a "
                 "stream has no keys. lpips is how different such pairs look, by a classifier's "
                 "hidden layers; lower is nearer. clip is how well the pictures of one set show "
                 "what their captions say, caption the share of which a program of yours says "
                 "that they do. usage is how many codes token grids use. "
                 "Without FAKE the codec's reconstructions of REAL take its place. "
                 "bits is the variational bound of TOKENS under a diffusion model, in bits a "
                 "token; lower is better. purity is how the model's certainty goes with its being "
                 "right."},
        {.letter = 'm', .name = "model", .value = "FILE",
         .help = "codec whose latents give the features, or the diffusion model to judge",
         .target = &args.model, .more = "A codec also turns token grids into pictures."},
        {.name = "network", .value = "FILE", .help = "take the features from this network instead",
         .target = &args.network,
         .more = "FID's own (pt_inception-2015-12-05-6726825d.pth, or NVIDIA's "
                 "inception-2015-12-05.pt), a codec, a feature network in a safetensors file, or "
                 "any network in TorchScript. "
                 "None comes with this toolkit. Numbers taken with different networks cannot be "
                 "compared; the output names the network and its hash."},
        {.name = "fid-mode", .value = "MODE", .help = "how pictures become FID's network's input",
         .target = &args.fid_mode, .choices = {"clean", "pytorch", "tensorflow"},
         .more = "As clean-fid, pytorch-fid or the first FID's program and torch-fidelity have "
                 "it. Numbers of different modes cannot be compared."},
        {.name = "network-range", .value = "RANGE",
         .help = "what a network in TorchScript is given: -1..1, 0..1 or 0..255",
         .target = &args.network_range, .choices = {"signed", "unit", "bytes"},
         .more = "Its forward takes (B, 3, N, N) and gives a row a picture; N is --size, or 224. "
                 "A script is a program: run none that you would not run otherwise."},
        {.name = "save-stats", .value = "FILE",
         .help = "describe REAL in this file, which can take its place later",
         .target = &args.save_stats,
         .more = "An archive of NumPy (.npz) with mu and sigma, which other programs read too. "
                 "Theirs can be given as a side, pytorch-fid's and ADM's among them."},
        {.name = "sample", .value = "N",
         .help = "feature vectors of each side that kid, prdc, qs and ds are taken from",
         .target = &args.sample, .min = 2, .max = 1000000},
        {.name = "neighbours", .value = "K", .help = "prdc, qs: how many nearest ones count",
         .target = &args.neighbours, .min = 1, .max = 1000},
        {.name = "components", .value = "M", .help = "qs, ds: normal distributions in the mixture",
         .target = &args.components, .min = 1, .max = 1000},
        {.name = "lpips", .value = "FILE", .help = "lpips: the weights of its network and heads",
         .target = &args.lpips,
         .more = "What the Python package lpips has, saved as torch.save(lpips.LPIPS(net='alex')"
                 ".state_dict(), FILE): alex, vgg or squeeze. The output names the network."},
        {.name = "clip", .value = "FILE", .help = "clip: the weights of CLIP's two towers",
         .target = &args.clip,
         .more = "OpenAI's ViT-B-32.pt, or model.safetensors of Hugging Face's "
                 "openai/clip-vit-base-patch32."},
        {.name = "clip-merges", .value = "FILE", .help = "clip: the merges of its tokenizer",
         .target = &args.clip_merges,
         .more = "merges.txt, bpe_simple_vocab_16e6.txt.gz, or a folder with merges.txt and "
                 "vocab.json."},
        {.name = "checker", .value = "COMMAND",
         .help = "caption: a shell command that says which pictures are right",
         .target = &args.checker,
         .more = "It reads a JSON line for each picture, with image, which is a path, and caption, "
                 "and writes one for each in the same order, with right, true or false."},
        {.letter = 'o', .name = "output", .value = "FILE",
         .help = "where the numbers go, - is standard output", .target = &args.output},
        {.name = "table", .help = "a table for people instead of JSON lines",
         .target = &args.table},
        {.name = "draws", .value = "N", .help = "bits: how often each record is noised",
         .target = &args.draws, .min = 1, .max = 100000,
         .more = "At different times, so at most as often as the model has steps. The standard "
                 "error falls with their number until the records' differences are left."},
        {.name = "timesteps", .value = "LIST", .help = "purity: at which times, as in 20,50,80",
         .target = &args.timesteps,
         .more = "Whole numbers from 1 to the model's number of steps. Without it they are 20, 50 "
                 "and 80 hundredths of that number, which are the times of the paper's figure."},
        {.name = "size", .value = "N", .help = "pixels a side at which pictures are compared",
         .target = &args.size, .min = 0, .max = 8192,
         .more = "0 is what the network looks at, and for recon and lpips the pictures' own size. "
                 "Other pictures are made square and resampled, token grids after decoding."},
        {.name = "resize", .value = "HOW", .help = "how other shapes become square",
         .target = &args.resize, .choices = {"center", "squash"}},
        {.letter = 'b', .name = "batch", .value = "N", .help = "pictures or grids taken together",
         .target = &args.batch, .min = 1, .max = 65536},
        {.letter = 'd', .name = "device", .value = "DEVICE", .help = "cpu, cuda, cuda:1, ...",
         .target = &args.device},
        {.name = "dtype", .value = "TYPE",
         .help = "bits, purity: precision of the model's products on a CPU", .target = &args.dtype,
         .choices = {"auto", "fp32", "bf16", "int8"},
         .more = "As vq-sample has it: what does a coarser one cost?"},
        {.letter = 'j', .name = "threads", .value = "N", .help = "threads, 0: all cores",
         .target = &args.threads, .min = 0, .max = 1024},
        {.letter = 's', .name = "seed", .value = "N",
         .help = "chooses the pictures that the standard error is taken from, or the noise",
         .target = &args.seed, .min = 0},
        {.name = "max-bad", .value = "N", .help = "unreadable pictures or lines to skip",
         .target = &args.max_bad, .min = 0, .more = "Each is named on standard error."},
        {.letter = 'f', .name = "force", .help = "replace an existing file",
         .target = &args.force},
        {.name = "plot", .value = "FILE", .help = "draw LINES into this PNG, - is standard output",
         .target = &args.plot, .group = kPlots,
         .more = "LINES are what this program and vq-train --log print, from standard input when "
                 "none are named. Nothing is measured then."},
        {.letter = 'x', .name = "x-axis", .value = "FIELD",
         .help = "what the horizontal axis shows", .target = &args.plot_x, .group = kPlots,
         .more = "Without it lines of purity are drawn as accuracy against purity, other lines "
                 "against step."},
        {.letter = 'y', .name = "y-axis", .value = "FIELD", .help = "what the vertical axis shows",
         .target = &args.plot_y, .group = kPlots,
         .more = "value has the error bars that error gives."},
        {.name = "series", .value = "FIELD", .help = "lines with one value of it are joined",
         .target = &args.plot_series, .group = kPlots,
         .more = "Without it lines of one metric and one file are joined."},
        {.name = "panels", .value = "FIELD", .help = "a panel of its own for each value of it",
         .target = &args.plot_panels, .group = kPlots,
         .more = "For numbers of different units: each panel has its own axes."},
        {.name = "title", .value = "TEXT", .help = "what stands above the plot",
         .target = &args.plot_title, .group = kPlots},
        {.name = "plot-size", .value = "WxH", .help = "pixels of the plot",
         .target = &args.plot_size, .group = kPlots,
         .more = "From 160 to 8192 a side. Letters and lines grow with it, in whole steps."}}};

// Usage errors that the option table cannot find.
void check_measures(const vq::cli::Context& context) {
  for (const char* name : vq::kPlotOptions) {
    if (!context.parsed.has(name)) continue;
    throw vq::Error::usage(std::string("--") + name, "says nothing without --plot");
  }
  if (context.operands.empty()) {
    throw vq::Error::usage("", "an operand is missing",
                           std::string("usage: vq-eval ") + command.usage.front() +
                               " (try --help)");
  }
}

void write_results(const std::vector<vq::Json>& lines, vq::Output output) {
  if (args.table) {
    output.write(vq::metrics_table(lines));
    output.close();
    return;
  }
  vq::MetricsWriter writer(std::move(output));
  for (const vq::Json& line : lines) writer.write(line);
  writer.close();
}

// Who measures what was asked.
struct Judge {
  void (*check)(const vq::cli::Context&, const vq::EvalArgs&);
  std::vector<vq::Json> (*measure)(const vq::cli::Context&, const vq::EvalArgs&);
};
Judge judge_of() {
  if (args.wants("bits") || args.wants("purity")) return {vq::check_eval_model, vq::eval_model};
  if (args.wants("usage")) return {vq::check_eval_usage, vq::eval_usage};
  if (args.wants("caption")) return {vq::check_eval_caption, vq::eval_caption};
  if (args.wants("clip")) return {vq::check_eval_clip, vq::eval_clip};
  return {vq::check_eval_pictures, vq::eval_pictures};
}

int evaluate(const vq::cli::Context& context) {
  if (context.parsed.has("plot")) {
    vq::check_eval_plot(context, args);
    vq::eval_plot(context, args);
    return 0;
  }
  check_measures(context);
  const Judge judge = judge_of();
  judge.check(context, args);
  if (!args.save_stats.empty()) {
    vq::Output file = vq::Output::open(args.save_stats, args.force);
    vq::set_threads(args.threads);
    vq::save_statistics(context, args, std::move(file));
    return 0;
  }
  // First of all: an existing file is refused before the work and not after it.
  vq::Output output = vq::Output::open(args.output, args.force);
  // Not start_computing(): large tables that come and go once each should not stay.
  vq::set_threads(args.threads);
  write_results(judge.measure(context, args), std::move(output));
  return 0;
}

}  // namespace

bool vq::EvalArgs::wants(const std::string& metric) const {
  return std::find(metrics.begin(), metrics.end(), metric) != metrics.end();
}

int main(int argc, char** argv) {
  return vq::cli::run(command, argc, argv, evaluate, vq::describe_torch_exception);
}
