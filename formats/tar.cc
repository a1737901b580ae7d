#include "formats/tar.h"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <optional>
#include <utility>

#include "formats/error.h"

namespace vq {
namespace {

constexpr size_t kChunk = 64 << 10;
constexpr uint64_t kRecord = 512;  // tar's own

struct FreeArchive {
  void operator()(archive* a) const { archive_read_free(a); }
};

}  // namespace

struct TarReader::State {
  explicit State(Input i) : input(std::move(i)), start(input.offset()), chunk(kChunk) {}

  Input input;
  uint64_t start;  // standard input may have been read from before
  Bytes chunk;
  std::optional<Error> trouble;  // of the input, told through libarchive
  std::unique_ptr<archive, FreeArchive> tar;
  archive_entry* entry = nullptr;
  uint64_t content_end = 0;  // of the last member, in bytes of the unpacked archive
  bool any = false, ended = false;

  uint64_t position() const { return static_cast<uint64_t>(archive_filter_bytes(tar.get(), 0)); }

  // libarchive is C: what the input throws waits here until the call is over.
  template <class Action>
  int64_t guarded(Action action) {
    try {
      return action();
    } catch (const Error& error) {
      trouble = error;
      archive_set_error(tar.get(), EIO, "cannot read");
      return -1;
    }
  }

  static la_ssize_t read_chunk(archive*, void* self, const void** bytes) {
    State& s = *static_cast<State*>(self);
    *bytes = s.chunk.data();
    return s.guarded(
        [&] { return static_cast<int64_t>(s.input.read_some(s.chunk.data(), kChunk)); });
  }

  static la_int64_t skip(archive*, void* self, la_int64_t wanted) {
    State& s = *static_cast<State*>(self);
    if (!s.input.seekable()) return 0;  // libarchive reads on then
    const auto skipped = s.guarded(
        [&] { return static_cast<int64_t>(s.input.skip(static_cast<uint64_t>(wanted))); });
    return skipped < 0 ? ARCHIVE_FATAL : skipped;
  }

  [[noreturn]] void fail() {
    if (trouble) throw *trouble;
    const char* reason = archive_error_string(tar.get());
    const std::string text = reason ? reason : "unknown";
    if (!any && text.find("Unrecognized archive format") != text.npos) {
      throw Error(input.name(), "is not a tar archive");
    }
    const bool cut = text.find("runcated") != text.npos;
    throw Error(input.name(),
                cut ? "the archive is cut off" : fmt::format("the archive is damaged ({})", text));
  }
};

TarReader::TarReader(Input input) : state_(std::make_unique<State>(std::move(input))) {
  State& s = *state_;
  s.tar.reset(archive_read_new());
  archive* const a = s.tar.get();
  if (!a) throw std::bad_alloc();
  archive_read_support_format_tar(a);
  archive_read_support_filter_gzip(a);
  archive_read_support_filter_zstd(a);
  archive_read_set_format_option(a, "tar", "read_concatenated_archives", "1");
  archive_read_set_read_callback(a, State::read_chunk);
  archive_read_set_skip_callback(a, State::skip);
  archive_read_set_callback_data(a, &s);
  if (archive_read_open1(a) != ARCHIVE_OK) s.fail();
}

TarReader::TarReader(TarReader&&) noexcept = default;
TarReader::~TarReader() = default;

const std::string& TarReader::name() const { return state_->input.name(); }

bool TarReader::plain() const {
  // The filters end with the one that stands for the bytes as they are.
  return state_->input.seekable() && archive_filter_count(state_->tar.get()) == 1;
}

bool TarReader::next(TarMember& member) {
  State& s = *state_;
  while (!s.ended) {
    const int status = archive_read_next_header(s.tar.get(), &s.entry);
    if (status == ARCHIVE_EOF) {
      // Two records of zeros end an archive, and libarchive does not miss them.
      if (s.any && s.position() <= s.content_end) {
        throw Error(name(), "the archive is cut off: its end mark is missing");
      }
      s.ended = true;
      break;
    }
    // A warning is about what does not matter here: owners, times, the character set of a name.
    if (status != ARCHIVE_OK && status != ARCHIVE_WARN) s.fail();
    s.any = true;
    const auto size = static_cast<uint64_t>(std::max<int64_t>(archive_entry_size(s.entry), 0));
    const char* path = archive_entry_pathname(s.entry);
    member.name = path ? path : "";
    member.size = size;
    member.offset = s.start + s.position();
    const bool link = archive_entry_hardlink(s.entry) != nullptr;
    s.content_end = s.position() + (size + kRecord - 1) / kRecord * kRecord;
    if (archive_entry_filetype(s.entry) != AE_IFREG || link) continue;
    if (archive_entry_sparse_count(s.entry) > 0) {
      throw Error(name(), fmt::format("{} is stored with holes, which is not read", member.name));
    }
    return true;
  }
  return false;
}

Bytes TarReader::read(uint64_t max_bytes) {
  State& s = *state_;
  const auto size = static_cast<uint64_t>(archive_entry_size(s.entry));
  if (size > max_bytes) {
    throw Error(name(), fmt::format("{} has more than {} bytes", archive_entry_pathname(s.entry),
                                    max_bytes));
  }
  // The size is only what a header says: memory is taken as the bytes come.
  Bytes bytes;
  while (bytes.size() < size) {
    const size_t have = bytes.size();
    bytes.resize(std::min<uint64_t>(size, have + (uint64_t{1} << 20)));
    const la_ssize_t got = archive_read_data(s.tar.get(), bytes.data() + have, bytes.size() - have);
    if (got < 0) s.fail();
    if (got == 0) throw Error(name(), "the archive is cut off");
    bytes.resize(have + static_cast<size_t>(got));
  }
  return bytes;
}

}  // namespace vq
