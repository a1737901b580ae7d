// vq-encode: pictures in, token grids out.

#include <fmt/format.h>

#include <exception>
#include <future>

#include "formats/dataset.h"
#include "formats/token_grid.h"
#include "lib/codec/codec.h"
#include "lib/codec/pictures.h"
#include "lib/runtime/device.h"
#include "tools/cli/options.h"
#include "tools/cli/run.h"
#include "tools/cli/terminal.h"

namespace {

struct {
  std::string model, output = "-", device = "cpu", resize = "center";
  std::string format = "auto", split = "all";
  int64_t batch = 32, max_bad = 0;
  int threads = 0, size = 0, level = 3;
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
         .min = 0, .max = 1024},
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
         .choices = {"center", "squash"},
         .more = "center keeps the centre square, squash all of the picture. A picture of the "
                 "right size is not touched."},
        {.name = "max-bad", .value = "N", .help = "unreadable pictures to skip before giving up",
         .target = &args.max_bad, .min = 0, .more = "Each is named on standard error."},
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

vq::GridHeader make_header(const vq::Codec& codec, const vq::ExampleReader* set,
                           const vq::cli::Context& context) {
  vq::GridHeader header;
  header.height = header.width = grid_side(codec);
  header.codebook_size = static_cast<int>(codec.config().codes);
  header.codec = codec.identity();
  vq::Json entry = vq::cli::history_entry(context);
  entry["model"] = codec.identity();
  header.history.push_back(entry);
  if (set != nullptr && !set->classes().empty()) header.more["classes"] = set->classes();
  return header;
}

vq::TokenRecord to_record(const vq::Example& example) {
  vq::TokenRecord record;
  record.key = example.key;
  if (example.captions.size() == 1) record.more["caption"] = example.captions[0];
  if (example.captions.size() > 1) record.more["captions"] = example.captions;
  if (example.label >= 0) record.more["label"] = example.label;
  for (const auto& [name, value] : example.more.items()) record.more[name] = value;
  return record;
}

// Encodes a batch and writes its records; `records` come without tokens.
void write_batch(const vq::Codec& codec, const at::Tensor& bytes,
                 std::vector<vq::TokenRecord>& records, vq::TokenWriter& writer) {
  if (records.empty()) return;
  const auto tokens = codec.encode(vq::to_images(bytes)).contiguous();
  const int64_t* row = tokens.data_ptr<int64_t>();
  for (vq::TokenRecord& record : records) {
    record.tokens.assign(row, row + tokens.size(1));
    row += tokens.size(1);
    writer.write(record);
  }
  records.clear();
}

// Names a bad picture; one too many ends the program.
void count_bad(const vq::Error& error, int64_t& bad) {
  if (++bad > args.max_bad) throw error;
  vq::cli::say(error.where().empty() ? error.message() : error.where() + ": " + error.message());
}

struct Counts {
  uint64_t pictures = 0;
  int64_t bad = 0;
};

// The next examples and their pictures. What ends the set too early waits until they are written.
struct ReadBatch {
  std::vector<vq::Example> examples;
  vq::PictureBatch pictures;
  std::exception_ptr trouble;
};

ReadBatch read_batch(vq::ExampleReader& set, const vq::ReadOptions& how) {
  ReadBatch batch;
  std::vector<vq::PictureSource> sources;
  try {
    vq::Example example;
    while (std::ssize(sources) < args.batch && set.next(example)) {
      sources.push_back(std::move(example.picture));
      batch.examples.push_back(std::move(example));
    }
  } catch (const vq::Error&) {
    batch.trouble = std::current_exception();
  }
  if (!sources.empty()) batch.pictures = vq::read_pictures(sources, how);
  return batch;
}

Counts encode_set(vq::ExampleReader& set, const vq::Codec& codec, const vq::ReadOptions& how,
                  vq::TokenWriter& writer, vq::cli::Progress& progress) {
  Counts counts;
  const auto read = [&] { return read_batch(set, how); };
  auto next = std::async(std::launch::async, read);
  while (true) {
    ReadBatch batch = next.get();
    if (batch.examples.empty()) {
      if (batch.trouble) std::rethrow_exception(batch.trouble);
      return counts;
    }
    if (!batch.trouble) next = std::async(std::launch::async, read);
    std::vector<bool> skip(batch.examples.size(), false);
    for (const vq::BadPicture& b : batch.pictures.bad) {
      count_bad(b.error, counts.bad);
      skip[static_cast<size_t>(b.index)] = true;
    }
    std::vector<vq::TokenRecord> records;
    std::vector<int64_t> rows;
    for (size_t i = 0; i < skip.size(); ++i) {
      if (skip[i]) continue;
      rows.push_back(static_cast<int64_t>(i));
      records.push_back(to_record(batch.examples[i]));
    }
    const at::Tensor& bytes = batch.pictures.bytes;
    const bool all = rows.size() == skip.size();
    write_batch(codec, all ? bytes : bytes.index_select(0, at::tensor(rows, at::kLong)), records,
                writer);
    counts.pictures += batch.examples.size();
    progress.update(counts.pictures);
    if (batch.trouble) std::rethrow_exception(batch.trouble);
  }
}

// Pictures of a PPM stream are numbered; what is there is encoded before waiting for more.
void encode_stream(vq::Input& input, const vq::Codec& codec, const vq::ReadOptions& how,
                   vq::TokenWriter& writer, vq::cli::Progress& progress) {
  std::vector<vq::TokenRecord> records;
  std::vector<at::Tensor> pictures;
  uint64_t count = 0;
  vq::Image image;
  while (vq::read_ppm(input, image)) {
    pictures.push_back(vq::to_tensor(vq::fit_image(image, how.size, how.resize)));
    records.push_back({fmt::format("{:06}", count++), {}, vq::Json::object()});
    const bool wait = !input.ready();
    if (!wait && static_cast<int64_t>(records.size()) < args.batch) continue;
    write_batch(codec, at::stack(pictures), records, writer);
    pictures.clear();
    if (wait) writer.flush();
    progress.update(count);
  }
  if (!pictures.empty()) write_batch(codec, at::stack(pictures), records, writer);
}

int encode(const vq::cli::Context& context) {
  if (!args.text) vq::cli::refuse_terminal_output(args.output, args.force);
  vq::cli::refuse_terminal_input(context.operands);
  vq::set_threads(args.threads);
  vq::Codec codec = vq::Codec::load(args.model);
  codec.to(vq::open_device(args.device));
  const vq::ReadOptions how = {
      .size = static_cast<int>(grid_side(codec) * codec.config().factor()),
      .resize = vq::resize_from_word(args.resize),
      .threads = args.threads};

  const bool from_input =
      context.operands.empty() || context.operands == std::vector<std::string>{"-"};
  const vq::DatasetOptions options = {.format = vq::dataset_format_from_word(args.format),
                                      .split = vq::dataset_split_from_word(args.split)};
  std::optional<vq::Input> input;
  std::unique_ptr<vq::ExampleReader> set;
  if (from_input) {
    input = vq::Input::open("-");
    set = vq::read_examples(*input, ".", options);
  } else {
    set = vq::open_examples(context.operands, options);
  }
  vq::TokenWriter writer(vq::Output::open(args.output, args.force),
                         make_header(codec, set.get(), context),
                         {.spelling = args.text ? vq::Spelling::text : vq::Spelling::binary,
                          .level = args.level,
                          .history = !args.no_history});
  vq::cli::Progress progress(context.common, "images", set ? set->total() : 0);
  Counts counts;
  if (set) {
    counts = encode_set(*set, codec, how, writer, progress);
  } else {
    encode_stream(*input, codec, how, writer, progress);
  }
  writer.close();
  progress.finish();
  if (counts.bad > 0) {
    vq::cli::note(fmt::format("{} of {} pictures skipped", counts.bad, counts.pictures));
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return vq::cli::run(command, argc, argv, encode, vq::describe_torch_exception);
}
