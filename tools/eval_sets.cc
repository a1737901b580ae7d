// One set of pictures by its captions, and token grids by how they use their codebook.
#include "formats/error.h"
#include "formats/token_grid.h"
#include "lib/runtime/device.h"
#include "lib/scoring/clip_score.h"
#include "lib/scoring/usage.h"
#include "tools/cli/terminal.h"
#include "tools/eval.h"

namespace vq {
namespace {

void alone(const cli::Context& context, const EvalArgs& args, const std::string& metric,
           const std::vector<std::string>& meant) {
  if (args.metrics.size() > 1) {
    throw Error::usage("--metrics", metric + " judges one set by itself",
                       "ask for it and for the others one after the other");
  }
  for (const std::string& name : context.parsed.given) {
    bool fits = false;
    for (const char* common :
         {"metrics", "output", "table", "force", "quiet", "verbose", "progress", "threads"}) {
      fits = fits || name == common;
    }
    for (const std::string& ours : meant) fits = fits || name == ours;
    if (!fits) throw Error::usage("--" + name, "says nothing about " + metric);
  }
}

}  // namespace

void check_eval_usage(const cli::Context& context, const EvalArgs& args) {
  alone(context, args, "usage", {});
}

std::vector<Json> eval_usage(const cli::Context& context, const EvalArgs&) {
  TokenReader reader(context.operands);
  return {measure_usage(reader)};
}

void check_eval_caption(const cli::Context& context, const EvalArgs& args) {
  alone(context, args, "caption", {"checker"});
  if (!args.checker.empty()) return;
  throw Error::usage("", "caption needs --checker",
                     "a command that says whether pictures show what their captions ask for");
}

void check_eval_clip(const cli::Context& context, const EvalArgs& args) {
  alone(context, args, "clip", {"clip", "clip-merges", "model", "batch", "device", "max-bad"});
  if (context.operands.size() > 1) throw Error::usage(context.operands[1], "one operand too many");
  if (args.clip.empty() || args.clip_merges.empty()) {
    throw Error::usage("", "clip needs --clip and --clip-merges",
                       "CLIP's weights (OpenAI's ViT-B-32.pt, or Hugging Face's model.safetensors) "
                       "and its merges (merges.txt, or bpe_simple_vocab_16e6.txt.gz)");
  }
}

std::vector<Json> eval_clip(const cli::Context& context, const EvalArgs& args) {
  const at::Device device = open_device(args.device);
  const Clip clip(args.clip, args.clip_merges, device);
  int64_t bad = 0;
  SideOptions options;
  options.size = 0;
  options.batch = args.batch;
  options.threads = args.threads;
  options.prepare = [&clip](const Image& picture) { return clip_input(picture, clip.size()); };
  options.on_bad = [&bad, max = args.max_bad](const Error& error) {
    if (++bad > max) throw error;
    cli::say(error.where() + ": " + error.message());
  };
  if (!args.model.empty()) {
    auto codec = std::make_shared<Codec>(Codec::load(args.model));
    codec->to(device);
    options.codec = std::move(codec);
    options.codec_path = args.model;
  }
  const auto side = open_side(context.operands.front(), options);
  cli::Progress progress(context.common, "pictures", static_cast<uint64_t>(side->total()));
  const Json line = measure_clip(
      *side, clip, [&](int64_t done) { progress.update(static_cast<uint64_t>(done)); });
  progress.finish();
  return {line};
}

}  // namespace vq
