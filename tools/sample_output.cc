#include "tools/sample_output.h"

#include "formats/error.h"
#include "tools/sampling_options.h"

namespace vq {

std::vector<cli::Option> output_rows(OutputArgs& args) {
  const char* group = "Output";
  return {{.letter = 'o', .name = "output", .value = "TOKENS",
           .help = "where the tokens go, - is standard output", .target = &args.output,
           .group = group},
          {.letter = 't', .name = "text", .help = "write the text spelling, one record a line",
           .target = &args.text, .group = group},
          {.name = "level", .value = "N", .help = "zstd compression level",
           .target = &args.level, .min = 1, .max = 19, .group = group},
          {.name = "no-history", .help = "leave the history out of the header",
           .target = &args.no_history, .group = group,
           .more = "For comparing files byte by byte."},
          {.letter = 'f', .name = "force", .help = "replace an existing file; write to a terminal",
           .target = &args.force, .group = group},
          {.name = "trace", .value = "TOKENS", .help = "write the grids of every step here, too",
           .target = &args.trace, .group = group,
           .more = "Each record has the key of the finished one and the number of its step; what "
                   "is not there yet is [mask]."},
          {.name = "every", .value = "N", .help = "steps between records of --trace",
           .target = &args.every, .min = 1, .max = 1e9, .group = group,
           .more = "The last step is always written."}};
}

void check_output(const cli::Parsed& parsed, const OutputArgs& args) {
  if (args.text && parsed.has("level"))
    throw Error::usage("--level", "nothing is compressed with --text");
  if (args.trace.empty()) {
    if (parsed.has("trace")) throw Error::usage("--trace", "the name is empty");
    if (parsed.has("every")) throw Error::usage("--every", "needs --trace");
  } else if (args.trace == (args.output.empty() ? "-" : args.output)) {
    throw Error::usage("--trace", "is the same place as --output");
  }
  if (args.text) return;
  cli::refuse_terminal_output(args.output, args.force);
  if (args.trace == "-") cli::refuse_terminal_output("-", args.force);
}

GridHeader sample_header(const cli::Context& context, const DiffusionModel& model,
                         const JobOptions& options, const GridHeader* init) {
  GridHeader header = model.grid_header();
  if (options.canvas.height > 0) {
    header.height = static_cast<int>(options.canvas.height);
    header.width = static_cast<int>(options.canvas.width);
  }
  if (init != nullptr) header.history = init->history, header.more = init->more;
  Json entry = cli::history_entry(context);
  entry["model"] = model.identity();
  entry.update(sampling_history(options.sampler));
  header.history.push_back(entry);
  const auto& classes = model.condition().config().classes;
  if (!classes.empty()) header.more["classes"] = classes;
  return header;
}

namespace {

TokenWriterOptions writer_options(const OutputArgs& args) {
  return {.spelling = args.text ? Spelling::text : Spelling::binary,
          .level = args.level,
          .max_wait = 0,  // batches are flushed as they end
          .history = !args.no_history};
}

GridHeader with_mask(GridHeader header) {
  header.mask = true;
  return header;
}

}  // namespace

SampleOutput::SampleOutput(const OutputArgs& args, const GridHeader& header) : every_(args.every) {
  const auto open = [&](const std::string& path, bool& hand_on) {
    Output output = Output::open(path, args.force);
    // Nobody reads a file while it is written, and comparing bytes needs blocks that do not depend
    // on the batch.
    hand_on = output.live() && !args.no_history;
    return output;
  };
  writer_.emplace(open(args.output, hand_on_), header, writer_options(args));
  if (args.trace.empty()) return;
  trace_.emplace(open(args.trace, hand_on_trace_), with_mask(header), writer_options(args));
}

void SampleOutput::trace(int step, const Job& job, const std::vector<int32_t>& tokens) {
  last_step_ = step;
  if (step % every_ != 0) return;
  TokenRecord record = job.record;
  record.tokens = tokens;
  record.more["step"] = step;
  trace_->write(record);
}

void SampleOutput::write(const std::vector<Job>& finished) {
  // A batch that began complete takes no step; it is shown once all the same.
  const bool untraced = last_step_ == 0 || last_step_ % every_ != 0;
  for (const Job& job : finished) {
    writer_->write(job.record);
    if (!trace_ || !untraced) continue;
    TokenRecord record = job.record;
    record.more["step"] = last_step_;
    trace_->write(record);
  }
  last_step_ = 0;
  // The next program works on these while we sample on.
  if (hand_on_) writer_->flush();
  if (hand_on_trace_) trace_->flush();
}

void SampleOutput::close() {
  writer_->close();
  if (trace_) trace_->close();
}

}  // namespace vq
