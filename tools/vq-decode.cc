// vq-decode: token grids in, pictures out.

#include <fmt/format.h>

#include "formats/error.h"
#include "formats/picture_writer.h"
#include "formats/token_grid.h"
#include "lib/codec/codec.h"
#include "lib/codec/pixels.h"
#include "lib/codec/tiles.h"
#include "lib/runtime/device.h"
#include "tools/cli/options.h"
#include "tools/cli/run.h"
#include "tools/cli/terminal.h"

namespace {

struct {
  std::string model, output = "-", sheet, device = "cpu", dtype = "fp32", mask = "error",
              format = "auto";
  int64_t batch = 32, per_shard = 0, tile = 0;
  int threads = 0, columns = 0, scale = 0;
  bool force = false;
} args;

const vq::cli::Command command = {
    .name = "vq-decode",
    .summary = "Turn tokens back into pictures.",
    .usage = {"[options] -m CODEC [-o DIR/|FILE.tar|FILE.png|-] [--sheet FILE.png] [TOKENS...]"},
    .example = "echo 'a small red bird' | vq-sample -m bird.safetensors -n 16 | vq-decode -m "
               "codec.safetensors -o out/",
    .options = {
        {.letter = 'm', .name = "model", .value = "CODEC",
         .help = "the codec that made the tokens", .target = &args.model, .required = true},
        {.letter = 'o', .name = "output", .value = "WHERE",
         .help = "a folder, FILE.tar, FILE.png, FILE.ppm, or - for PPM on standard output",
         .target = &args.output,
         .more = "A folder gets KEY.png for each record and captions.jsonl, and is a data set "
                 "again; so is FILE.tar, in WebDataset's spelling. FILE.png takes one record. "
                 "Without -o but with --sheet only the sheet is written."},
        {.name = "format", .value = "NAME",
         .help = "what is written, auto: as the output is called", .target = &args.format,
         .choices = vq::picture_format_words(),
         .more = "png is a stream of any number of PNG, one behind the other."},
        {.name = "per-shard", .value = "N", .help = "pictures in one tar archive, 0: all",
         .target = &args.per_shard, .min = 0,
         .more = "FILE.tar becomes FILE-000000.tar, FILE-000001.tar, ..."},
        {.name = "sheet", .value = "FILE.png",
         .help = "also one contact sheet, captions under the pictures", .target = &args.sheet},
        {.name = "columns", .value = "N", .help = "pictures in a row of the sheet, 0: by itself",
         .target = &args.columns, .min = 0, .max = 1000},
        {.name = "scale", .value = "N",
         .help = "how much the sheet magnifies, 0: so that captions fit", .target = &args.scale,
         .min = 0, .max = 64},
        {.letter = 'b', .name = "batch", .value = "N", .help = "records decoded together at most",
         .target = &args.batch, .min = 1, .max = 65536,
         .more = "Fewer when no more are there yet."},
        {.letter = 'd', .name = "device", .value = "DEVICE", .help = "cpu, cuda, cuda:1, ...",
         .target = &args.device},
        {.name = "dtype", .value = "TYPE", .help = "precision of convolutions",
         .target = &args.dtype, .choices = {"auto", "fp32", "bf16"},
         .more = "auto is bf16 where the device has it in hardware. See PRECISION."},
        {.letter = 'j', .name = "threads", .value = "N", .help = "threads, 0: all cores",
         .target = &args.threads, .min = 0, .max = 1024},
        {.name = "tile", .value = "N",
         .help = "decode large grids in tiles of N x N cells, 0: whole", .target = &args.tile,
         .min = 0, .max = 65535, .more = "See TILES."},
        {.name = "mask", .value = "HOW", .help = "what to do with masked cells",
         .target = &args.mask, .choices = {"error", "grey"},
         .more = "grey paints them, which shows how far a picture was when sampling stopped."},
        {.letter = 'f', .name = "force", .help = "replace existing files; write to a terminal",
         .target = &args.force}}};

// Keeps tokens of a batch with where each came from, for messages.
struct Batch {
  std::vector<vq::TokenRecord> records;
  std::vector<int64_t> tokens;
};

bool has_mask(const vq::TokenRecord& record, int codes) {
  return std::find(record.tokens.begin(), record.tokens.end(), codes) != record.tokens.end();
}

void add(Batch& batch, vq::TokenRecord& record, const vq::TokenReader& reader, int codes) {
  if (args.mask == "error" && has_mask(record, codes)) {
    throw vq::Error(reader.where(), "has [mask] tokens, which are not part of a picture",
                    "finish sampling, or paint them with --mask grey");
  }
  // Masked cells borrow code 0 and are painted over afterwards.
  for (int32_t token : record.tokens) batch.tokens.push_back(token == codes ? 0 : token);
  batch.records.push_back(std::move(record));
}

void paint_masked(at::Tensor& bytes, const Batch& batch, const vq::GridHeader& header) {
  const int64_t side = bytes.size(1) / header.height;
  for (size_t b = 0; b < batch.records.size(); ++b) {
    const auto& tokens = batch.records[b].tokens;
    for (int64_t i = 0; i < header.length(); ++i) {
      if (tokens[static_cast<size_t>(i)] != header.codebook_size) continue;
      auto rows = bytes[static_cast<int64_t>(b)].narrow(0, i / header.width * side, side);
      rows.narrow(1, i % header.width * side, side).fill_(128);
    }
  }
}

using Writers = std::vector<std::unique_ptr<vq::PictureWriter>>;

void write_batch(Batch& batch, const vq::Codec& codec, const vq::GridHeader& header,
                 Writers& writers) {
  const auto count = static_cast<int64_t>(batch.records.size());
  const auto tokens = at::tensor(batch.tokens, at::kLong).view({count, header.length()});
  auto bytes = vq::to_bytes(
      vq::decode_in_tiles(codec, tokens, header.height, header.width, args.tile));
  if (args.mask == "grey") paint_masked(bytes, batch, header);
  for (int64_t b = 0; b < count; ++b) {
    vq::TokenRecord& record = batch.records[static_cast<size_t>(b)];
    const vq::Picture picture = {record.key, vq::to_image(bytes, b), std::move(record.more)};
    for (auto& writer : writers) writer->put(picture);
  }
  batch = {};
}

Writers open_writers(const vq::GridHeader& header, const vq::cli::Context& context) {
  vq::Json history = header.history;
  history.push_back(vq::cli::history_entry(context));
  const vq::PictureWriterOptions options = {
      args.force,
      {{"Software", "vq-decode " + vq::cli::version_string()},
       {"vq:history", vq::dump_json(history)}},
      vq::picture_format_from_word(args.format),
      static_cast<uint64_t>(args.per_shard)};
  Writers writers;
  const bool sheet_only = !args.sheet.empty() && !context.parsed.has("output");
  if (!sheet_only) writers.push_back(vq::open_pictures(args.output, options));
  if (!args.sheet.empty()) {
    writers.push_back(
        vq::open_sheet(args.sheet, {.columns = args.columns, .scale = args.scale}, options));
  }
  return writers;
}

int decode(const vq::cli::Context& context) {
  if (args.sheet.empty()) vq::cli::refuse_terminal_output(args.output, args.force);
  vq::cli::refuse_terminal_input(context.operands);
  vq::start_computing(args.threads);
  const at::Device device = vq::open_device(args.device);
  const vq::Precision precision = vq::choose_precision(args.dtype, device);
  vq::Codec codec = vq::Codec::load(args.model, vq::CodecUse::decode, precision);
  codec.to(device);

  vq::TokenReader reader(context.operands);
  const vq::GridHeader header = reader.header();
  reader.require_codec(codec.identity(), args.model);
  Writers writers = open_writers(header, context);
  vq::cli::Progress progress(context.common, "pictures", 0);
  Batch batch;
  vq::TokenRecord record;
  while (reader.next(record)) {
    add(batch, record, reader, header.codebook_size);
    const bool wait = !reader.ready();
    if (!wait && static_cast<int64_t>(batch.records.size()) < args.batch) continue;
    write_batch(batch, codec, header, writers);
    if (wait) {
      for (auto& writer : writers) writer->flush();
    }
    progress.update(reader.records());
  }
  if (!batch.records.empty()) write_batch(batch, codec, header, writers);
  for (auto& writer : writers) writer->close();
  progress.finish();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return vq::cli::run(command, argc, argv, decode, vq::describe_torch_exception);
}
