// vq-import: other people's weights in, our model and codec files out; and the way back.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "formats/error.h"
#include "lib/runtime/device.h"
#include "lib/weights/export_diffusers.h"
#include "lib/weights/export_microsoft.h"
#include "lib/weights/import.h"
#include "tools/cli/options.h"
#include "tools/cli/run.h"
#include "tools/cli/terminal.h"

namespace {

constexpr const char* kUnsaid = "What some files do not say";
constexpr const char* kWayBack = "The way back";

struct {
  std::string output, codec_output, classes, grid, to, codec;
  vq::ImportOptions import;
  double guidance = 0, top_p = 0;
  int steps = 0;
  bool dry_run = false, force = false;
} args;

const vq::cli::Command command = {
    .name = "vq-import",
    .summary = "Turn other people's models and codecs into ours, or ours into theirs.",
    .usage = {"[options] -o MODEL [--codec-out CODEC] SOURCE", "[options] --dry-run SOURCE",
              "--to PEER [--codec CODEC] -o DIR MODEL"},
    .example = "vq-import vq-diffusion-ithq/ -o ithq.safetensors --codec-out codec.safetensors",
    .options = {
        {.letter = 'o', .name = "output", .value = "FILE",
         .help = "the model, or the codec of a source that is only one", .target = &args.output,
         .more = "With \\-\\-to a folder."},
        {.name = "codec-out", .value = "FILE", .help = "the codec of a source that has both",
         .target = &args.codec_output},
        {.name = "dry-run", .help = "say what would become what, and write nothing",
         .target = &args.dry_run},
        {.name = "raw", .help = "a checkpoint's own weights, not their moving average",
         .target = &args.import.raw,
         .more = "Their authors sample with the average; it is taken where there is one."},
        {.name = "allow-unused", .value = "PATTERN", .help = "tensors that may be left out",
         .target = &args.import.allow_unused,
         .more = "A name with * and ? as in a shell, * for dots too; may be given repeatedly. "
                 "Any other tensor that nothing has a use for is an error."},
        {.letter = 'f', .name = "force", .help = "replace existing files", .target = &args.force},
        {.name = "vocabulary", .value = "FILE", .help = "CLIP's, for checkpoints with captions",
         .target = &args.import.vocabulary, .group = kUnsaid,
         .more = "bpe_simple_vocab_16e6.txt.gz, merges.txt, or a folder with merges.txt and "
                 "vocab.json. Folders of diffusers hold it."},
        {.name = "text-tower", .value = "FILE", .help = "CLIP's text tower, where there is none",
         .target = &args.import.text_tower, .group = kUnsaid,
         .more = "Of OpenAI (ViT-B-32.pt), which computes in half precision, or of transformers: "
                 "a folder, model.safetensors or pytorch_model.bin with config.json beside it, or "
                 "the file alone."},
        {.name = "code-subset", .value = "FILE", .help = "the table from code to token",
         .target = &args.import.code_subset, .group = kUnsaid,
         .more = "For models that use a part of their codec's codes: taming_vqvae_2887.pt, "
                 "taming_vqvae_974.pt."},
        {.name = "classes", .value = "FILE", .help = "names of the classes, one a line",
         .target = &args.classes, .group = kUnsaid},
        {.name = "null", .value = "WHICH", .help = "the condition that guidance leads away from",
         .target = &args.import.null, .choices = {"auto", "learned", "mean", "empty"},
         .group = kUnsaid,
         .more = "learned is a tensor or a class of its own; empty is the empty caption; mean is "
                 "the mean of all classes. auto takes the learned one where there is one: of "
                 "classes, unless there are 1000."},
        {.name = "grid", .value = "HxW", .help = "tokens of a picture", .target = &args.grid,
         .group = kUnsaid, .more = "Without it 16x16 for models without captions."},
        {.name = "heads", .value = "N", .help = "attention heads, 0: 16, as in all released models",
         .target = &args.import.heads, .min = 0, .max = 1024, .group = kUnsaid},
        {.name = "text-heads", .value = "N", .help = "the text tower's, 0: a 64th of its width",
         .target = &args.import.text_heads, .min = 0, .max = 1024, .group = kUnsaid,
         .more = "Or what its config.json says."},
        {.name = "groups", .value = "N", .help = "of the codec's normalisation, 0: 32",
         .target = &args.import.groups, .min = 0, .max = 4096, .group = kUnsaid},
        {.name = "image-size", .value = "N", .help = "pixels a side the codec is made for, 0: 256",
         .target = &args.import.image_size, .min = 0, .max = 8192, .group = kUnsaid},
        {.name = "suggest-guidance", .value = "W", .help = "guidance that vq-sample shall take",
         .target = &args.guidance, .min = 0, .max = 100, .hide_default = true, .group = kUnsaid,
         .more = "Without it and the next two, what the original recommends."},
        {.name = "suggest-top-p", .value = "P", .help = "truncation that vq-sample shall take",
         .target = &args.top_p, .min = 0, .max = 1, .hide_default = true, .group = kUnsaid},
        {.name = "suggest-steps", .value = "N", .help = "steps that vq-sample shall take",
         .target = &args.steps, .min = 0, .max = 100000, .hide_default = true, .group = kUnsaid},
        {.name = "to", .value = "PEER", .help = "write MODEL as this peer's files",
         .target = &args.to, .choices = {"diffusers", "microsoft"},
         .group = kWayBack,
         .more = "diffusers: a VQ-Diffusion pipeline's folder, or a VQModel's for a codec alone. "
                 "microsoft: checkpoints of microsoft/VQ-Diffusion, model.pth and codec.pth, or "
                 "codec.pth alone."},
        {.name = "codec", .value = "FILE", .help = "the codec that the model was trained with",
         .target = &args.codec, .group = kWayBack}},
    .min_operands = 1,
    .max_operands = 1};

std::vector<std::string> read_lines(const std::string& path) {
  constexpr uint64_t kMost = 16 << 20;
  vq::Input input = vq::Input::open(path);
  if (input.seekable() && input.size() > kMost)
    throw vq::Error(path, "is too large for a list of classes");
  std::vector<std::string> lines;
  for (std::string line; input.read_line(line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    lines.push_back(line);
  }
  return lines;
}

int64_t read_side(const std::string& text) {
  const bool good = !text.empty() && text.size() <= 4 &&
                    text.find_first_not_of("0123456789") == std::string::npos &&
                    std::stoll(text) > 0;
  if (good) return std::stoll(text);
  throw vq::Error::usage("--grid", fmt::format("'{}' is not HxW, as in 16x16", args.grid));
}

void read_options(const vq::cli::Parsed& parsed) {
  vq::ImportOptions& o = args.import;
  if (!args.grid.empty()) {
    const size_t cross = std::min(args.grid.find('x'), args.grid.size() - 1);
    o.grid_height = read_side(args.grid.substr(0, cross));
    o.grid_width = read_side(args.grid.substr(cross + 1));
  }
  if (!args.classes.empty()) o.classes = read_lines(args.classes);
  if (parsed.has("suggest-guidance")) o.suggested["guidance"] = args.guidance;
  if (parsed.has("suggest-top-p")) o.suggested["top_p"] = args.top_p;
  if (parsed.has("suggest-steps")) o.suggested["steps"] = args.steps;
}

struct File {
  const char* what;
  const vq::PlannedFile* plan;
  std::string path;
};

// Which parts of the source are written, and where to.
std::vector<File> files_of(const vq::Import& import) {
  std::vector<File> files;
  const bool both = import.model && import.codec;
  if (!both && !args.codec_output.empty()) {
    throw vq::Error::usage("--codec-out", import.model ? "the source holds no codec to take"
                                                       : "the source is a codec, which -o takes");
  }
  if (import.codec) {
    const std::string& path = both ? args.codec_output : args.output;
    if (args.dry_run || !path.empty()) files.push_back({"codec", &*import.codec, path});
  }
  if (import.model && (args.dry_run || !args.output.empty()))
    files.push_back({"model", &*import.model, args.output});
  return files;
}

// All of it with --verbose, else a line for each kind of layer.
void print_plan(const File& file, bool every_tensor) {
  fmt::print("{}{}: {} tensors, {:.1f} MB\n", file.what,
             file.path.empty() ? "" : " -> " + file.path, file.plan->tensors.size(),
             static_cast<double>(file.plan->bytes()) / 1e6);
  for (const vq::PlannedTensor& tensor : file.plan->tensors) {
    if (!every_tensor) break;
    std::string from;
    for (const vq::SourceTensor* part : tensor.parts)
      from += (from.empty() ? "" : " + ") + part->name;
    fmt::print("  {} -> {}  {} [{}]\n", from.empty() ? "(made)" : from, tensor.layout.name,
               vq::dtype_name(tensor.layout.dtype), fmt::join(tensor.layout.shape, ", "));
  }
  if (every_tensor) return;
  constexpr size_t kWidest = 80;
  const std::vector<vq::PlanRow> rows = vq::plan_rows(*file.plan);
  size_t theirs = 0, ours = 0;
  for (const vq::PlanRow& row : rows) {
    theirs = std::max(theirs, std::min(row.theirs.size(), kWidest));
    ours = std::max(ours, std::min(row.ours.size(), kWidest));
  }
  for (const vq::PlanRow& row : rows) {
    fmt::print("  {:<{}} -> {:<{}} {:>5} tensor{} {:>22}\n", row.theirs, theirs, row.ours, ours,
               row.count, row.count == 1 ? " " : "s", row.what);
  }
}

void print_left(const vq::Import& import) {
  for (const auto& pool : import.pools) {
    for (const vq::SourcePool::Left& left : pool->left()) {
      const size_t more = left.names.size() - 1;
      fmt::print("left: {}{}: {}\n", left.names.front(),
                 more > 0 ? fmt::format(" and {} more", more) : "", left.reason);
    }
  }
}

constexpr uint64_t kMiB = 1 << 20;

int export_weights(const vq::cli::Context& context) {
  const auto plan_export =
      args.to == "microsoft" ? vq::plan_export_microsoft : vq::plan_export_diffusers;
  const vq::Export plan = plan_export(context.operands.front(), args.codec);
  for (const vq::ExportedFile& file : plan.files) {
    if (context.common.quiet) continue;
    fmt::print("{}{}{}\n", args.output, args.output.empty() ? "" : "/", file.path);
    for (const vq::PlanRow& row : vq::plan_rows(file.weights))
      fmt::print("  {}  {} tensors, {}\n", row.ours, row.count, row.what);
  }
  for (const std::string& text : plan.notes) vq::cli::note(text);
  if (args.dry_run) return 0;
  vq::cli::Progress progress(context.common, "MiB", 0);
  vq::write_export(plan, args.output, args.force,
                   [&](uint64_t done) { progress.update(done / kMiB); });
  progress.finish();
  return 0;
}

int import_weights(const vq::cli::Context& context) {
  if (args.output.empty() && args.codec_output.empty() && !args.dry_run)
    throw vq::Error::usage("-o", "is missing: where the model goes", "--dry-run writes nothing");
  if (!args.to.empty()) return export_weights(context);
  if (!args.codec.empty()) throw vq::Error::usage("--codec", "says nothing without --to");
  read_options(context.parsed);
  const vq::Import import = vq::plan_import(context.operands.front(), args.import);
  const std::vector<File> files = files_of(import);
  for (const File& file : files) {  // an existing file is refused before anything is written
    if (!args.dry_run) vq::Output::open(file.path, args.force);
  }
  if (!context.common.quiet) {
    fmt::print("{}: {}\n", context.operands.front(), import.what);
    for (const File& file : files) print_plan(file, context.common.verbose);
    print_left(import);
  }
  for (const std::string& text : import.notes) vq::cli::note(text);
  if (import.model && import.codec && args.codec_output.empty() && !args.dry_run)
    vq::cli::note("the source holds the codec too: --codec-out FILE takes it");
  if (args.dry_run) return 0;
  vq::Json entry = vq::cli::history_entry(context);
  entry["imported"] = import.what;
  uint64_t total = 0, before = 0;
  for (const File& file : files) total += file.plan->bytes();
  vq::cli::Progress progress(context.common, "MiB", total / kMiB);
  for (const File& file : files) {
    vq::write_planned(*file.plan, file.path, vq::Json::array({entry}), args.force,
                      [&](uint64_t done) { progress.update((before + done) / kMiB); });
    before += file.plan->bytes();
  }
  progress.finish();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return vq::cli::run(command, argc, argv, import_weights, vq::describe_torch_exception);
}
