#include "formats/bytes.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <utility>

#include "formats/error.h"

namespace vq {

void append_u16(Bytes& out, uint16_t v) {
  out.push_back(static_cast<uint8_t>(v));
  out.push_back(static_cast<uint8_t>(v >> 8));
}

void append_u32(Bytes& out, uint32_t v) {
  for (int shift = 0; shift < 32; shift += 8) out.push_back(static_cast<uint8_t>(v >> shift));
}

void append_u64(Bytes& out, uint64_t v) {
  for (int shift = 0; shift < 64; shift += 8) out.push_back(static_cast<uint8_t>(v >> shift));
}

namespace {

constexpr size_t kBuffer = 64 << 10;  // also the longest look-ahead that Input::peek promises

}  // namespace

// Bytes buffer[begin, end) are read but not consumed. A memory source is all buffer and no file.
struct Input::State {
  std::string name;
  int fd = -1;
  bool own = false;        // do we close it?
  bool regular = false;    // can it seek?
  uint64_t base = 0;       // standard input may be a file that somebody has read from already
  uint64_t file_size = 0;  // seen from base
  uint64_t consumed = 0;
  bool at_end = false;
  Bytes buffer;
  size_t begin = 0, end = 0;

  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    if (own) ::close(fd);
  }

  size_t buffered() const { return end - begin; }

  void consume(size_t n) {
    begin += n;
    consumed += n;
  }

  // One read(2): 0 at the end.
  size_t read_once(uint8_t* to, size_t n) {
    if (at_end) return 0;
    ssize_t got;
    do {
      got = ::read(fd, to, n);
    } while (got < 0 && errno == EINTR);
    if (got < 0) throw Error::from_errno(name, "cannot read");
    if (got == 0) at_end = true;
    return static_cast<size_t>(got);
  }

  // Makes room and adds what one read(2) gives; false at the end.
  bool fill() {
    if (at_end) return false;
    if (begin == end) begin = end = 0;
    if (end == buffer.size()) {
      std::memmove(buffer.data(), buffer.data() + begin, buffered());
      end -= begin;
      begin = 0;
    }
    const size_t got = read_once(buffer.data() + end, buffer.size() - end);
    end += got;
    return got > 0;
  }
};

Input::Input(std::unique_ptr<State> state) : state_(std::move(state)) {}
Input::Input(Input&&) noexcept = default;
Input& Input::operator=(Input&&) noexcept = default;
Input::~Input() = default;

Input Input::open(const std::string& path) {
  auto state = std::make_unique<State>();
  if (path == "-") {
    state->name = "standard input";
    state->fd = STDIN_FILENO;
  } else {
    state->name = path;
    state->fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (state->fd < 0) throw Error::from_errno(path, "cannot open");
    state->own = true;
  }
  struct stat info;
  if (::fstat(state->fd, &info) != 0) throw Error::from_errno(state->name, "cannot read");
  if (S_ISDIR(info.st_mode)) throw Error(state->name, "is a folder, not a file");
  if (S_ISREG(info.st_mode)) {
    const off_t here = ::lseek(state->fd, 0, SEEK_CUR);
    if (here >= 0 && here <= info.st_size) {
      state->regular = true;
      state->base = static_cast<uint64_t>(here);
      state->file_size = static_cast<uint64_t>(info.st_size - here);
    }
  }
  state->buffer.resize(2 * kBuffer);
  return Input(std::move(state));
}

Input Input::memory(Bytes bytes, std::string name) {
  auto state = std::make_unique<State>();
  state->name = std::move(name);
  state->at_end = true;
  state->end = bytes.size();
  state->file_size = bytes.size();
  state->buffer = std::move(bytes);
  return Input(std::move(state));
}

const std::string& Input::name() const { return state_->name; }
uint64_t Input::offset() const { return state_->consumed; }
bool Input::seekable() const { return state_->fd < 0 || state_->regular; }
uint64_t Input::size() const { return state_->file_size; }

std::span<const uint8_t> Input::peek(size_t max) {
  State& s = *state_;
  max = std::min(max, kBuffer);
  while (s.buffered() < max && s.fill()) {
  }
  return {s.buffer.data() + s.begin, std::min(max, s.buffered())};
}

size_t Input::read_some(uint8_t* to, size_t n) {
  State& s = *state_;
  if (n == 0) return 0;
  if (s.buffered() == 0) {
    if (n >= kBuffer) {  // no need to copy twice
      const size_t got = s.read_once(to, n);
      s.consumed += got;
      return got;
    }
    if (!s.fill()) return 0;
  }
  const size_t take = std::min(n, s.buffered());
  std::memcpy(to, s.buffer.data() + s.begin, take);
  s.consume(take);
  return take;
}

size_t Input::read(uint8_t* to, size_t n) {
  size_t done = 0;
  while (done < n) {
    const size_t got = read_some(to + done, n - done);
    if (got == 0) break;
    done += got;
  }
  return done;
}

void Input::read_exactly(uint8_t* to, size_t n) {
  if (read(to, n) < n) {
    throw Error(name(), fmt::format("ends after {} bytes; was it cut short?", offset()));
  }
}

uint64_t Input::skip(uint64_t n) {
  State& s = *state_;
  if (s.regular) {
    const uint64_t to = std::min(s.file_size, s.consumed + std::min(n, UINT64_MAX - s.consumed));
    const uint64_t from = s.consumed;
    seek(std::max(to, from));
    return s.consumed - from;
  }
  uint64_t done = 0;
  while (done < n && (s.buffered() > 0 || s.fill())) {
    const size_t take = static_cast<size_t>(std::min<uint64_t>(n - done, s.buffered()));
    s.consume(take);
    done += take;
  }
  return done;
}

bool Input::read_line(std::string& line, size_t max_bytes, bool* ended) {
  State& s = *state_;
  line.clear();
  bool any = false, whole = false;
  while (!whole && (s.buffered() > 0 || s.fill())) {
    any = true;
    const uint8_t* from = s.buffer.data() + s.begin;
    const void* newline = std::memchr(from, '\n', s.buffered());
    whole = newline != nullptr;
    const size_t take = whole ? static_cast<const uint8_t*>(newline) - from : s.buffered();
    if (line.size() + take > max_bytes) {
      s.consume(take);  // so that who goes on after this gets on
      throw Error(name(), fmt::format("a line is longer than {} bytes", max_bytes));
    }
    line.append(reinterpret_cast<const char*>(from), take);
    s.consume(take + (whole ? 1 : 0));
  }
  if (ended) *ended = whole;
  return any;
}

Bytes Input::read_all(uint64_t max_bytes) {
  State& s = *state_;
  Bytes out;
  // A size is only a promise (a file may grow, /proc says 0): it saves copies, no more than that.
  if (seekable()) out.reserve(std::min(s.file_size - std::min(s.consumed, s.file_size), max_bytes));
  while (s.buffered() > 0 || s.fill()) {
    if (s.buffered() > max_bytes - out.size()) {
      throw Error(name(), fmt::format("holds more than {} bytes", max_bytes));
    }
    out.insert(out.end(), s.buffer.begin() + s.begin, s.buffer.begin() + s.end);
    s.consume(s.buffered());
  }
  return out;
}

bool Input::ready() { return ready_within(0); }

bool Input::ready_within(double seconds) {
  State& s = *state_;
  if (s.buffered() > 0 || s.at_end || s.regular) return true;
  using Clock = std::chrono::steady_clock;
  const auto until = Clock::now() + std::chrono::duration<double>(std::max(0.0, seconds));
  for (;;) {
    const std::chrono::duration<double, std::milli> left = until - Clock::now();
    const int wait_ms = static_cast<int>(std::clamp(std::ceil(left.count()), 0.0, 1e9));
    pollfd wait{s.fd, POLLIN, 0};
    const int count = ::poll(&wait, 1, wait_ms);
    if (count == 0) return false;
    // Data, the end, or an error that a read will report; a signal is none of them.
    if (count > 0 || errno != EINTR) return true;
  }
}

void Input::seek(uint64_t offset) {
  State& s = *state_;
  if (s.fd < 0) {
    s.begin = static_cast<size_t>(std::min<uint64_t>(offset, s.end));
  } else {
    if (!s.regular || ::lseek(s.fd, static_cast<off_t>(s.base + offset), SEEK_SET) < 0) {
      throw Error::from_errno(name(), "cannot seek");
    }
    s.begin = s.end = 0;
    s.at_end = false;
  }
  s.consumed = offset;
}

Bytes read_file(const std::string& path, uint64_t max_bytes) {
  return Input::open(path).read_all(max_bytes);
}

void write_file(const std::string& path, std::span<const uint8_t> bytes, bool force) {
  Output output = Output::open(path, force, /*sync=*/false);
  output.write(bytes);
  output.close();
}

}  // namespace vq
