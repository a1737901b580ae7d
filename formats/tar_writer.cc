#include "formats/tar_writer.h"

#include <archive.h>
#include <archive_entry.h>

#include <cerrno>
#include <new>
#include <optional>
#include <utility>

#include "formats/error.h"

namespace vq {
namespace {

constexpr int kRecord = 512;  // tar's own

struct FreeWriter {
  void operator()(archive* a) const { archive_write_free(a); }
};
struct FreeEntry {
  void operator()(archive_entry* e) const { archive_entry_free(e); }
};

}  // namespace

struct TarWriter::State {
  explicit State(Output o) : output(std::move(o)) {}

  Output output;
  std::optional<Error> trouble;  // of the output, told through libarchive
  std::unique_ptr<archive_entry, FreeEntry> entry{archive_entry_new()};
  std::unique_ptr<archive, FreeWriter> tar;

  // libarchive is C: what the output throws waits here until the call is over.
  static la_ssize_t write(archive* a, void* self, const void* bytes, size_t n) {
    State& s = *static_cast<State*>(self);
    // A writer that is dropped writes its end mark, which nobody wants any more.
    if (s.trouble) return -1;
    try {
      s.output.write({static_cast<const uint8_t*>(bytes), n});
    } catch (const Error& error) {
      s.trouble = error;
      archive_set_error(a, EIO, "cannot write");
      return -1;
    }
    return static_cast<la_ssize_t>(n);
  }

  void check(int64_t result) {
    if (result >= 0) return;
    if (trouble) throw *trouble;
    const char* reason = archive_error_string(tar.get());
    throw Error(output.name(), std::string("cannot write the archive: ") +
                                   (reason ? reason : "libarchive does not say why"));
  }
};

TarWriter::TarWriter(Output output) : state_(std::make_unique<State>(std::move(output))) {
  State& s = *state_;
  s.tar.reset(archive_write_new());
  archive* const a = s.tar.get();
  if (!a || !s.entry) throw std::bad_alloc();
  // GNU's spelling of long names: names stay the bytes they are. In pax they must be UTF-8, which
  // libarchive makes of them by way of the locale, and in the C locale it ends the program.
  archive_write_set_format_gnutar(a);
  // Nothing is held back: who reads a pipe has each member when it is written.
  archive_write_set_bytes_per_block(a, kRecord);
  archive_write_set_bytes_in_last_block(a, kRecord);
  s.check(archive_write_open(a, &s, nullptr, State::write, nullptr));
}

TarWriter::TarWriter(TarWriter&&) noexcept = default;

TarWriter::~TarWriter() {
  if (state_ && state_->tar && !state_->trouble) {
    state_->trouble = Error(state_->output.name(), "not closed");
  }
}

void TarWriter::add(const std::string& name, std::span<const uint8_t> content) {
  State& s = *state_;
  archive_entry* const e = archive_entry_clear(s.entry.get());
  archive_entry_copy_pathname(e, name.c_str());
  archive_entry_set_filetype(e, AE_IFREG);
  archive_entry_set_perm(e, 0644);
  archive_entry_set_size(e, static_cast<la_int64_t>(content.size()));
  archive_entry_set_mtime(e, 0, 0);
  s.check(archive_write_header(s.tar.get(), e));
  s.check(archive_write_data(s.tar.get(), content.data(), content.size()));
  s.check(archive_write_finish_entry(s.tar.get()));
}

void TarWriter::flush() { state_->output.flush(); }

void TarWriter::close() {
  State& s = *state_;
  s.check(archive_write_close(s.tar.get()));
  s.tar.reset();
  s.output.close();
}

}  // namespace vq
