#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "formats/error.h"
#include "formats/token_block.h"
#include "formats/token_frames.h"
#include "formats/token_grid.h"
#include "formats/token_header.h"
#include "formats/token_index.h"
#include "formats/token_resume.h"
#include "formats/token_text.h"

namespace vq {
namespace {

constexpr size_t kRawBlock = 1 << 20;  // a block closes when its columns have so many bytes

using Clock = std::chrono::steady_clock;

}  // namespace

// One lock guards everything: the caller's thread adds records, and a timer closes a block that has
// waited long enough. What the timer cannot say, the next call throws.
struct TokenWriter::State {
  Output output;
  GridHeader header;
  TokenWriterOptions options;
  std::string column;  // text: the grid column of every line
  BlockPacker packer;
  FrameCompressor compressor;
  TokenIndex index;
  uint64_t records = 0, blocks = 0;  // of this stream
  uint64_t before = 0;               // records of the streams before it
  std::vector<size_t> borders;

  std::mutex mutex;
  std::condition_variable wake;
  std::thread timer;
  std::optional<Clock::time_point> deadline;  // of the open block
  bool stop = false;
  std::exception_ptr failure;

  State(Output out, const GridHeader& h, const TokenWriterOptions& o)
      : output(std::move(out)), header(h), options(o), packer(h), compressor(o.level) {}

  ~State() { stop_timer(); }

  bool text() const { return options.spelling == Spelling::text; }

  // A regular file has nobody waiting for it, and its bytes should depend on the records alone.
  bool timed() const { return !text() && options.max_wait > 0 && output.live(); }

  void stop_timer() {
    if (!timer.joinable()) return;
    {
      const std::lock_guard lock(mutex);
      stop = true;
    }
    wake.notify_one();
    timer.join();
  }

  void run_timer() {
    std::unique_lock lock(mutex);
    while (!stop) {
      if (!deadline) {
        wake.wait(lock);
      } else if (wake.wait_until(lock, *deadline) == std::cv_status::timeout && deadline &&
                 Clock::now() >= *deadline && !stop) {
        try {
          close_block();
        } catch (...) {
          failure = std::current_exception();
          deadline.reset();
        }
      }
    }
  }

  void throw_failure() const {
    if (failure) std::rethrow_exception(failure);
  }

  void write_line_frame(const std::string& line) {
    output.write(compressor.compress(as_bytes(line)));
  }

  void begin() {
    const std::string where = output.name();
    try {
      if (text()) {
        column = text_grid_column(header);
        output.write(text_header_line(header, options.history) + "\n");
      } else {
        write_line_frame(header_to_line(header, options.history) + "\n");
        index.header_bytes = static_cast<uint32_t>(output.offset() - index.stream_bytes);
      }
    } catch (const Error& e) {
      throw e.where() == where ? e : e.within(where);
    }
    if (output.live()) output.flush();
  }

  void start_clock() {
    deadline = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                  std::chrono::duration<double>(options.max_wait));
    if (!timer.joinable()) timer = std::thread([this] { run_timer(); });
    wake.notify_one();
  }

  void add(const TokenRecord& record) {
    try {
      if (records == kMaxRecords && !text()) throw Error("", "one stream has no room for it");
      if (text()) {
        check_record(header, record);
      } else {
        packer.add(record);
      }
    } catch (const Error& e) {
      throw e.within(
          fmt::format("{}: record {} ({})", output.name(), before + records, record.key));
    }
    ++records;
    if (text()) return add_line(record);
    if (packer.records() == 1 && timed()) start_clock();
    if (packer.records() >= options.block_records || packer.raw_bytes() >= kRawBlock) close_block();
  }

  void add_line(const TokenRecord& record) {
    std::string line;
    append_text_record(line, record, column, header.codebook_size);
    output.write(line);
    if (output.live()) output.flush();
  }

  void close_block() {
    deadline.reset();
    const int count = packer.records();
    if (count == 0) return;
    const Bytes& content = packer.pack(static_cast<uint32_t>(records) - count, borders);
    // For a few records a second set of tables costs more than it saves.
    if (count < 16) borders.clear();
    const Bytes& frame = compressor.compress(content, borders);
    output.write(frame);
    ++blocks;
    if (blocks <= kMaxIndexBlocks) {
      index.sizes.push_back(static_cast<uint32_t>(frame.size()));
      index.counts.push_back(static_cast<uint16_t>(count));
    }
    // Also of a file: what is done is done, should the program be stopped.
    output.flush();
  }

  void end() {
    if (text()) return;
    close_block();
    write_line_frame(end_to_line({records, blocks}) + "\n");
    if (blocks > kMaxIndexBlocks) return;  // the index is optional, and a reader's memory is not
    index.records = records;
    index.stream_bytes = output.offset() - index.stream_bytes;
    output.write(index_to_frame(index, compressor));
  }

  // What is written says that there is no [mask]. A line says so for itself, so only later ones
  // change; a stream says so once, so another one begins.
  void allow_mask() {
    if (header.mask) return;
    if (!text()) end();
    header.mask = true;
    packer = BlockPacker(header);
    if (text()) {
      column = text_grid_column(header);
      return;
    }
    before += std::exchange(records, 0);
    blocks = 0;
    index = {};
    index.stream_bytes = output.offset();
    begin();
  }
};

namespace {

void check_options(const TokenWriterOptions& options) {
  if (options.block_records >= 1 && options.block_records <= kMaxBlockRecords) return;
  throw Error::usage("", fmt::format("a block of {} records is outside 1..{}",
                                     options.block_records, kMaxBlockRecords));
}

}  // namespace

TokenWriter::TokenWriter(Output output, const KeptTokens& kept, const TokenWriterOptions& options) {
  check_options(options);
  if (options.spelling == Spelling::text) {
    throw Error::usage(output.name(), "the text spelling cannot be gone on with");
  }
  state_ = std::make_unique<State>(std::move(output), kept.header, options);
  state_->index = kept.index;
  state_->index.stream_bytes = kept.begin;
  state_->records = kept.records;
  state_->blocks = kept.blocks;
}

TokenWriter::TokenWriter(Output output, const GridHeader& header,
                         const TokenWriterOptions& options) {
  check_options(options);
  state_ = std::make_unique<State>(std::move(output), header, options);
  // Until the end this is where the stream begins: an output may have been written to before.
  state_->index.stream_bytes = state_->output.offset();
  state_->begin();
}

TokenWriter::TokenWriter(TokenWriter&&) noexcept = default;
TokenWriter::~TokenWriter() = default;

void TokenWriter::write(const TokenRecord& record) {
  const std::lock_guard lock(state_->mutex);
  state_->throw_failure();
  state_->add(record);
}

void TokenWriter::flush() {
  const std::lock_guard lock(state_->mutex);
  state_->throw_failure();
  state_->close_block();
  state_->output.flush();
}

uint64_t TokenWriter::records() const {
  const std::lock_guard lock(state_->mutex);
  return state_->before + state_->records;
}

void TokenWriter::allow_mask() {
  const std::lock_guard lock(state_->mutex);
  state_->throw_failure();
  state_->allow_mask();
}

void TokenWriter::close() {
  state_->stop_timer();
  state_->throw_failure();
  state_->end();
  state_->output.close();
}

}  // namespace vq
