// vq-encode: pictures in, token grids out.

#include <fmt/format.h>

#include "formats/dataset.h"
#include "formats/image_stream.h"
#include "formats/token_grid.h"
#include "formats/token_resume.h"
#include "lib/codec/codec.h"
#include "lib/runtime/device.h"
#include "tools/cli/options.h"
#include "tools/cli/run.h"
#include "tools/cli/shard.h"
#include "tools/cli/terminal.h"
#include "tools/encode_pictures.h"

namespace {

struct {
  std::string model, output = "-", device = "cpu", resize = "center", bad_list, shard;
  std::string format = "auto", split = "all";
  int64_t batch = 32, max_bad = 0, seed = 0;
  int threads = 0, size = 0, level = 3, crops = 1;
  bool flip = false, sample_codes = false, resume = false;
  bool text = false, no_history = false, force = false;
} args;

const vq::cli::Command command = {
    .name = "vq-encode",
    .summary = "Turn pictures into tokens.",
    .usage = {"[options] -m CODEC [IMAGES...]"},
    .example = "vq-encode -m codec.safetensors photos/ | vq-train diffusion -o bird.safetensors",
    .options = {
        {.letter = 'm', .name = "model", .value = "CODEC", .help = "the codec",
         .target = &args.model, .required = true},
        {.letter = 'o', .name = "output", .value = "TOKENS",
         .help = "where the tokens go, - is standard output", .target = &args.output},
        {.letter = 'b', .name = "batch", .value = "N", .help = "pictures encoded together",
         .target = &args.batch, .min = 1, .max = 65536,
         .more = "The tokens do not depend on it."},
        {.letter = 'd', .name = "device", .value = "DEVICE", .help = "cpu, cuda, cuda:1, ...",
         .target = &args.device},
        {.letter = 'j', .name = "threads", .value = "N",
         .help = "threads that read pictures and compute, 0: all cores", .target = &args.threads,
         .min = 0, .max = 1024, .more = "Nor on this."},
        {.name = "format", .value = "NAME", .help = "what the pictures come in, auto: as it looks",
         .target = &args.format, .choices = vq::dataset_format_words(),
         .more = "See DATA SETS."},
        {.name = "split", .value = "NAME", .help = "which part of CUB-200-2011",
         .target = &args.split, .choices = {"all", "train", "test"}},
        {.name = "size", .value = "N", .help = "pixels a side, 0: as the codec was trained",
         .target = &args.size, .min = 0, .max = 8192,
         .more = "A multiple of the codec's cell."},
        {.name = "resize", .value = "HOW",
         .help = "how other shapes become square", .target = &args.resize,
         .choices = vq::resize_words(), .more = "See SIZES."},
        {.name = "crops", .value = "N", .help = "crops of each picture", .target = &args.crops,
         .min = 1, .max = 10000,
         .more = "Several need --resize paper-train, which draws them. Their keys end in @crop0, "
                 "@crop1, ..."},
        {.name = "flip", .help = "also each picture mirrored", .target = &args.flip,
         .more = "As a record of its own, whose key ends in @flip."},
        {.name = "sample-codes", .help = "draw each code by its score instead of the best",
         .target = &args.sample_codes,
         .more = "As the released Gumbel codecs do; only for codecs that score their codes."},
        {.letter = 's', .name = "seed", .value = "N",
         .help = "seed of what --resize and --sample-codes draw", .target = &args.seed, .min = 0,
         .more = "It depends on the seed, the picture's key and the crop's number alone."},
        {.name = "shard", .value = "I/N",
         .help = "only every N-th picture, from picture I, 0 <= I < N", .target = &args.shard,
         .more = "All shards together give the records of a run without it."},
        {.name = "resume", .help = "go on with what an earlier run wrote", .target = &args.resume,
         .more = "Pictures whose keys are in TOKENS, or in TOKENS.part that a stopped run left, "
                 "are passed over; with this option the latter stays when the run is stopped. The "
                 "end is the same file as without a stop."},
        {.name = "max-bad", .value = "N", .help = "unreadable pictures to skip before giving up",
         .target = &args.max_bad, .min = 0, .more = "Each is named on standard error."},
        {.name = "bad-list", .value = "FILE", .help = "also list them in a file",
         .target = &args.bad_list,
         .more = "One a line: its name, a tab, what is wrong with it."},
        {.letter = 't', .name = "text", .help = "write the text spelling, one record a line",
         .target = &args.text},
        {.name = "level", .value = "N", .help = "zstd compression level", .target = &args.level,
         .min = 1, .max = 19},
        {.name = "no-history", .help = "leave the history out of the header",
         .target = &args.no_history, .more = "For comparing files byte by byte."},
        {.letter = 'f', .name = "force", .help = "replace an existing file; write to a terminal",
         .target = &args.force}}};

int grid_side(const vq::Codec& codec) {
  const int64_t size = args.size > 0 ? args.size : codec.config().image_size;
  try {
    return static_cast<int>(codec.grid_side(size));
  } catch (const vq::Error& e) {
    throw vq::Error::usage("--size", e.message());
  }
}

vq::ViewPlan make_plan(const vq::Codec& codec) {
  vq::ViewPlan plan;
  plan.size = static_cast<int>(grid_side(codec) * codec.config().factor());
  plan.resize = vq::resize_from_word(args.resize);
  plan.crops = args.crops;
  plan.flip = args.flip;
  plan.seed = static_cast<uint64_t>(args.seed);
  if (plan.crops > 1 && !vq::is_random(plan.resize)) {
    throw vq::Error::usage("--crops", "with --resize " + args.resize + " all crops are the same",
                           "--resize paper-train draws them");
  }
  return plan;
}

vq::GridHeader make_header(const vq::Codec& codec, const vq::ExampleReader& set,
                           const vq::cli::Context& context) {
  vq::GridHeader header;
  header.height = header.width = grid_side(codec);
  header.codebook_size = static_cast<int>(codec.config().codes);
  header.codec = codec.identity();
  vq::Json entry = vq::cli::history_entry(context);
  entry["model"] = codec.identity();
  header.history.push_back(entry);
  if (!set.classes().empty()) header.more["classes"] = set.classes();
  // How pictures became squares: with other words here other tokens are to be expected.
  vq::Json pictures = {{"resize", args.resize}};
  if (args.crops > 1) pictures["crops"] = args.crops;
  if (args.flip) pictures["flip"] = true;
  if (args.sample_codes) pictures["sample_codes"] = true;
  if (args.sample_codes || vq::is_random(vq::resize_from_word(args.resize)))
    pictures["seed"] = args.seed;
  header.more["pictures"] = pictures;
  return header;
}

// A file that is gone on with must be of the same kind in all that its header says.
void check_goes_on(const vq::GridHeader& there, const vq::GridHeader& now) {
  vq::check_compatible(there, now, args.output);
  for (const char* name : {"classes", "pictures"}) {
    const vq::Json a = there.more.value(name, vq::Json()), b = now.more.value(name, vq::Json());
    if (a == b) continue;
    throw vq::Error(args.output,
                    fmt::format("cannot be gone on with: its \"{}\" are {}, now they are {}", name,
                                vq::dump_json(a), vq::dump_json(b)));
  }
}

// What the operands name; without any, standard input, as a list, a shard or a stream of pictures.
std::unique_ptr<vq::ExampleReader> open_set(const std::vector<std::string>& operands, bool& live) {
  const vq::DatasetOptions options = {.format = vq::dataset_format_from_word(args.format),
                                      .split = vq::dataset_split_from_word(args.split)};
  if (!operands.empty() && operands != std::vector<std::string>{"-"}) {
    return vq::open_examples(operands, options);
  }
  vq::Input input = vq::Input::open("-");
  if (auto set = vq::read_examples(input, ".", options)) return set;
  live = true;
  return vq::read_picture_stream(std::move(input));
}

int encode(const vq::cli::Context& context) {
  if (!args.text) vq::cli::refuse_terminal_output(args.output, args.force);
  vq::cli::refuse_terminal_input(context.operands);
  if (args.resume && args.text) {
    throw vq::Error::usage("--resume", "goes on with binary files only, not with --text");
  }
  const vq::Shard shard = vq::parse_shard(args.shard);
  vq::start_computing(args.threads);
  vq::Codec codec = vq::Codec::load(args.model, vq::CodecUse::encode);
  codec.to(vq::open_device(args.device));
  if (args.sample_codes && !codec.draws_codes()) {
    throw vq::Error::usage("--sample-codes", args.model + " takes the nearest code and gives the "
                                             "others no score");
  }

  auto wanted = std::make_shared<vq::WantedViews>();
  wanted->plan = make_plan(codec);
  wanted->shard = shard;
  vq::EncodeOptions options = {
      .batch = args.batch, .threads = args.threads, .sample_codes = args.sample_codes};
  wanted->set = open_set(context.operands, options.live);
  const vq::GridHeader header = make_header(codec, *wanted->set, context);
  const vq::TokenWriterOptions how = {
      .spelling = args.text ? vq::Spelling::text : vq::Spelling::binary,
      .level = args.level,
      .history = !args.no_history};
  std::optional<vq::KeptTokens> kept;
  vq::Output output = args.resume ? vq::resume_tokens(args.output, kept)
                                  : vq::Output::open(args.output, args.force);
  if (kept) {
    check_goes_on(kept->header, header);
    wanted->done = std::move(kept->keys);
    vq::cli::note(fmt::format("goes on behind {} records", wanted->done.size()));
  }
  vq::TokenWriter writer = kept ? vq::TokenWriter(std::move(output), *kept, how)
                                : vq::TokenWriter(std::move(output), header, how);
  vq::BadPictures bad(args.max_bad);
  if (!args.bad_list.empty()) bad.list(args.bad_list, args.force || args.resume);
  const uint64_t done = wanted->done.size() / wanted->plan.views().size();
  const uint64_t total = wanted->set->total() / shard.count;
  vq::cli::Progress progress(context.common, "images", total - std::min(total, done));
  const uint64_t pictures = vq::encode_pictures(wanted, codec, options, writer, bad, progress);
  writer.close();
  bad.close();
  progress.finish();
  if (bad.count() > 0) {
    vq::cli::note(fmt::format("{} of {} pictures skipped", bad.count(), pictures));
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return vq::cli::run(command, argc, argv, encode, vq::describe_torch_exception);
}
